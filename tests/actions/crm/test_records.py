"""What all vendors' records have in common."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from actions.crm.models import Activity, Contact
from actions.crm.records import Names, drop_refused, text_of, title_of, upsert
from actions.errors import UnavailableError
from actions.scheduling.models import Change
from tests.actions.clinic import at, slot_at

NAMES = Names("first", "last", "mail", "tel")
TEN = slot_at("2026-11-24T10:00")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Erika Maria Geheim", {"first": "Erika Maria", "last": "Geheim"}),
        ("Geheim", {"last": "Geheim"}),
        ("  ", {}),
        (None, {}),
    ],
)
def test_the_last_word_is_the_last_name(name: str | None, fields: dict[str, str]) -> None:
    """And what is not known is no field."""
    assert NAMES.fields_of(Contact("key", name)) == fields
    assert NAMES.fields_of(Contact("key", name, "a@b.example", "110")) == {
        **fields,
        "mail": "a@b.example",
        "tel": "110",
    }


def test_an_activity_is_told_without_the_patient() -> None:
    """What became of which appointment, and when that was certain."""
    activity = Activity("1", Change.BOOKED, "APT-1", "general", TEN.start, TEN.end, at("2026-11-22T17:20"))

    assert title_of(activity) == "Appointment booked: general"
    assert text_of(activity) == "Reference APT-1, booked at 2026-11-22T16:20:00Z"


def test_what_was_refused_is_named_in_the_log_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    """The rest is sent."""
    with caplog.at_level(logging.WARNING):
        assert drop_refused({"mail": "secret", "last": "Geheim"}, {"mail"}) == {"last": "Geheim"}

    assert [vars(record)["details"] for record in caplog.records] == [["mail"]]
    assert "secret" not in caplog.text


async def test_update_and_create_are_tried_in_turn_until_one_knows_the_contact() -> None:
    """Somebody else may make or delete it in between; that does not go on for ever."""
    tried: list[str] = []
    found: list[str | None] = [None, None, "7"]

    async def update(key: str, fields: Mapping[str, str]) -> str | None:
        tried.append("update")
        return found.pop(0) if found else None

    async def create(key: str, fields: Mapping[str, str]) -> str | None:
        tried.append("create")
        return found.pop(0) if found else None

    assert await upsert("the CRM", update, create, "key", {}) == "7"
    assert tried == ["update", "create", "update"]
    with pytest.raises(UnavailableError, match="the CRM says"):
        await upsert("the CRM", update, create, "key", {})
