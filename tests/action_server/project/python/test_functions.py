"""Functions with `@action` are found in the text, with what they are given and return."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.project.python.reader import read_package
from tests.projects import project

MODELS = """
    from dataclasses import dataclass
    from enum import Enum
    from pydantic import BaseModel, Field
    from action_server import Slots

    class Kind(Enum):
        A = "a"

    class Base(BaseModel):
        day: str

    class Booked(Base):
        reference: str
        seats: int = Field(1, alias="party-size")
        note: str = Field("", exclude=True)

    @dataclass
    class Refused:
        reason: str

    class Contact(Slots):
        phone: str

    class Desk:
        pass
"""
BOOKING = """
    import time
    from typing import Annotated, Literal, Optional

    import action_server
    from action_server import action as an_action, idempotent
    from bot.models import Booked, Contact, Desk, Kind, Refused
    from elsewhere import Client
    from rasa_sdk.events import SlotSet

    action = "a name that many use"

    @idempotent(key="day")
    @an_action
    async def book(
        day: str,
        kind: Kind | None,
        desk: Desk,
        client: Client,
        contact: Contact,
        size: "Annotated[int, Field(alias='party-size')]" = 1,
        *,
        flavour: Optional[Literal["a"]] = None,
    ) -> Booked | Refused | None:
        time.sleep(1)
        tracker.get_slot("language")

    @action_server.action(name="action_other")
    def another() -> dict:
        return {"sent": True}

    @an_action(name=NAME)
    def unnamed(): ...

    @an_action()
    def action_kept() -> list:
        return [SlotSet("kept", 1)]

    @elsewhere
    def helper(day: str) -> Booked: ...
"""


def test_functions_are_actions_with_names(tmp_path: Path) -> None:
    """By whatever name the decorator was imported; a name that code makes is not known."""
    facts = read_package(project(tmp_path, {"bot/models.py": MODELS, "bot/booking.py": BOOKING}) / "bot", "bot")

    assert {cls.source: cls.action_name for cls in facts.actions} == {
        "bot.booking.book": "action_book",
        "bot.booking.another": "action_other",
        "bot.booking.unnamed": None,
        "bot.booking.action_kept": "action_kept",
    }
    book = next(cls for cls in facts.actions if cls.name == "book")
    assert [fault.rule for fault in book.methods["run"].faults] == ["blocking-call"]
    assert book.at.line == 15


def test_parameters_are_slots_read_and_results_slots_set(tmp_path: Path) -> None:
    """Services and classes that nobody knows are none; fields count with those of base classes, not excluded ones."""
    facts = read_package(project(tmp_path, {"bot/models.py": MODELS, "bot/booking.py": BOOKING}) / "bot", "bot")

    uses = [use for module in facts.modules for use in module.uses]
    assert [(use.kind, use.name) for use in uses if use.owner == "book"] == [
        ("key slot", "day"),
        ("reads slot", "language"),
        ("reads slot", "day"),
        ("reads slot", "kind"),
        ("reads slot", "party-size"),
        ("reads slot", "flavour"),
        ("sets slot", "day"),
        ("sets slot", "reference"),
        ("sets slot", "party-size"),
        ("sets slot", "reason"),
    ]
    assert [(use.name, use.value) for use in uses if use.owner == "another"] == [("sent", True)]
    assert [(use.name, use.value) for use in uses if use.owner == "action_kept"] == [("kept", 1)]
    assert not [use for use in uses if use.owner == "helper"]


@pytest.mark.parametrize(
    "text",
    [
        "from action_server import action\n@action\ndef f(a: '1 +', b: '') -> 'x y': ...\n",
        "from action_server import action\n@action\ndef f(a, *b, **c): ...\n",
        "from action_server import action\n@action\ndef f(a: Annotated[str, Field(alias=NAME)]) -> Loop: ...\n"
        "class Loop(Loop): ...\n",
        "from action_server import action\n@action(**known)\ndef f() -> 5: return {'event': 'slot', 'timestamp': 1}\n",
    ],
)
def test_a_function_that_says_little_is_read_all_the_same(tmp_path: Path, text: str) -> None:
    """What cannot be read names no slots."""
    facts = read_package(project(tmp_path, {"bot.py": text}) / "bot.py", "bot")

    assert [cls.name for cls in facts.actions] == ["f"]
    assert [use for module in facts.modules for use in module.uses] == []
