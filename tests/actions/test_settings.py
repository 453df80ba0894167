"""The clinic's settings."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from action_server import DatabaseError
from actions.errors import ClinicError, ClinicSettingsError
from actions.services import clinic_hours
from actions.settings import ClinicSettings
from tests.actions.clinic import GENERAL, days


def test_without_settings_the_clinic_is_a_practice_in_germany() -> None:
    """The defaults, as documented."""
    settings = ClinicSettings.read({})

    assert settings.time_zone == "Europe/Berlin"
    assert settings.opening_hours == "Mo-Fr 08:00-12:00,13:00-17:00"
    assert (settings.horizon_days, settings.start_every_minutes, settings.date_order) == (60, 30, "DMY")
    assert {name: kind.duration for name, kind in settings.kinds.items()} == {
        "general": timedelta(minutes=30),
        "specialist": timedelta(minutes=60),
        "urgent": timedelta(minutes=30),
    }
    assert settings.kinds["urgent"].resource == settings.kinds["general"].resource
    assert isinstance(settings.database_location, Path)
    assert settings.database_location.parts[-2:] == ("action-server", "clinic.sqlite3")
    assert settings.database_location.is_absolute()
    assert ClinicSettings.read({"clinic": None}) == settings


@pytest.mark.parametrize(
    ("database", "location"),
    [
        ("clinic.db", Path("clinic.db")),
        ("/var/lib/clinic.db", Path("/var/lib/clinic.db")),
        ("~/clinic.db", Path.home() / "clinic.db"),
        ("sqlite+aiosqlite:///clinic.db", Path("clinic.db")),
        ("sqlite+aiosqlite:////var/lib/clinic.db", Path("/var/lib/clinic.db")),
        ("sqlite:///clinic.db", Path("clinic.db")),
        ("postgresql://u:p@host/clinic", "postgresql://u:p@host/clinic"),
        ("postgresql+asyncpg://host/clinic", "postgresql+asyncpg://host/clinic"),
        ("postgres://host/clinic?ssl=require", "postgres://host/clinic?ssl=require"),
    ],
)
def test_the_database_is_a_file_or_a_server(database: str, location: str | Path) -> None:
    """A path and a URL of SQLite name a file; a URL of PostgreSQL stays what it is."""
    assert ClinicSettings.read({"clinic": {"database": database}}).database_location == location


def test_values_from_the_environment_are_text_and_are_understood() -> None:
    """The server hands over ACTION_SERVER__SERVICES__CLINIC__HORIZON_DAYS=14 as text."""
    settings = ClinicSettings.read({"clinic": {"horizon_days": "14", "languages": ["en", "de"], "date_order": "MDY"}})

    assert (settings.horizon_days, settings.languages) == (14, ("en", "de"))


def test_holidays_of_the_country_and_of_its_part_close_the_clinic() -> None:
    """Epiphany is a holiday in Bavaria, not in all of Germany, and nowhere if holidays are switched off."""
    epiphany = days("2027-01-06", "2027-01-07")

    def starts(holidays: object) -> int:
        return len(clinic_hours(ClinicSettings.read({"clinic": {"holidays": holidays}})).slots(GENERAL, epiphany))

    assert starts({"country": "DE", "subdivision": "BY"}) == 0
    assert starts({"country": "DE"}) == 16
    assert starts(None) == 16
    assert date(2027, 10, 3) in ClinicSettings.read({}).holidays.calendar()  # type: ignore[union-attr]


SECRET = "s3cret-value"
PASSWORD_FILE = "database_password_file"


def test_the_databases_password_comes_from_a_file_as_it_is_then(tmp_path: Path) -> None:
    """One that was replaced counts for the next connection; without one there is none."""
    file = tmp_path / "password"
    url = "postgresql://clinic@db/clinic"
    settings = ClinicSettings.read({"clinic": {"database": url, PASSWORD_FILE: str(file)}})

    for password in (SECRET, "another"):
        file.write_text(f"{password}\n")
        assert settings.database_password() == password
    file.write_text("\n")
    with pytest.raises(DatabaseError, match=PASSWORD_FILE):
        settings.database_password()
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DatabaseError, match=PASSWORD_FILE):
        settings.database_password()


@pytest.mark.parametrize("database", ["clinic.sqlite3", f"postgresql://clinic:{SECRET}@db/clinic"])
def test_a_password_that_no_database_would_be_asked_for_does_not_start(database: str) -> None:
    """It is one of two, or nobody's."""
    with pytest.raises(ClinicSettingsError, match=PASSWORD_FILE) as refused:
        ClinicSettings.read({"clinic": {"database": database, PASSWORD_FILE: "/run/secrets/database"}})

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("database", ""),
        ("database", f"postgresql+psycopg://u:{SECRET}@h/db"),
        ("database", f"mysql://u:{SECRET}@h/db"),
        ("database", f"postgresql://u:{SECRET}@h:port/db"),
        ("database", "sqlite+aiosqlite://"),
        ("database", "sqlite+aiosqlite:///:memory:"),
        ("database", f"sqlite+aiosqlite:///x.db?key={SECRET}"),
        ("database", f"{SECRET} ://"),
        ("time_zone", SECRET),
        ("time_zone", "Europe"),
        ("time_zone", "../../etc/passwd"),
        ("opening_hours", f"Mo-Fr {SECRET}"),
        ("opening_hours", 8),
        ("holidays", {"country": SECRET}),
        ("holidays", {"country": "DE", "subdivision": SECRET}),
        ("horizon_days", 0),
        ("horizon_days", SECRET),
        ("start_every_minutes", 7),
        ("start_every_minutes", 50),
        ("languages", [SECRET]),
        ("languages", ["xx"]),
        ("date_order", "YMD"),
        ("appointment_types", {}),
        ("appointment_types", {"general": {"minutes": 31, "resource": "r"}}),
        ("appointment_types", {"general": {"minutes": 30}}),
        ("appointment_types", {"Not A Name": {"minutes": 30, "resource": "r"}}),
        ("openning_hours", SECRET),
        ("scheduling", {"type": SECRET}),
        ("scheduling", {"type": "embedded", "url": SECRET}),
        ("scheduling", {"type": "caldav", "url": SECRET, "calendars": {"practice": "/a/", "specialist": "/b/"}}),
        ("scheduling", {"type": "fhir", "url": "http://h", "auth": {"type": SECRET}, "schedules": {"a": "Schedule/1"}}),
        ("crm", {"type": "hubspot", "token": SECRET, "token_file": "f"}),
        ("crm", {"type": "salesforce", "client_secret": SECRET}),
        ("crm", SECRET),
    ],
)
def test_a_bad_setting_is_one_sentence_that_names_the_key_and_no_value(key: str, value: Any) -> None:
    """Values may be secrets."""
    with pytest.raises(ClinicSettingsError) as caught:
        ClinicSettings.read({"clinic": {key: value}})

    text = str(caught.value)
    assert text.startswith(f"the clinic's settings cannot be used: services.clinic.{key}")
    assert "\n" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"opening_hours": "Mo-Fr 09:00-12:00; PH off", "holidays": None}, "opening_hours has a rule for PH"),
        (
            {"scheduling": {"type": "exchange"}},
            "services.clinic.scheduling.type: must be one of 'embedded', 'caldav', 'f",
        ),
        ({"crm": {"type": "hubspot"}}, "services.clinic.crm: give either token or token_file"),
        ({"crm": {"type": "hubspot", "key": 1}}, "services.clinic.crm.key: Extra inputs are not permitted"),
        (
            {"scheduling": {"type": "caldav", "url": "http://h/", "calendars": {"practice": "/a/"}}},
            "services.clinic: scheduling.calendars has no entry for the resource specialist of appointment_types",
        ),
        (
            {"scheduling": {"type": "fhir", "url": "http://h/", "schedules": {"specialist": "Schedule/1"}}},
            "services.clinic: scheduling.schedules has no entry for the resource practice of appointment_types",
        ),
    ],
    ids=["nobody's holidays", "an unknown system", "no token", "an unknown key", "no calendar", "no schedule"],
)
def test_a_bad_setting_of_a_system_elsewhere_is_named(setting: dict[str, Any], said: str) -> None:
    """By its key in the file; the type that was chosen is no part of it."""
    with pytest.raises(ClinicSettingsError) as caught:
        ClinicSettings.read({"clinic": setting})

    assert said in str(caught.value)


def test_every_bad_setting_is_named_at_once() -> None:
    """One start is enough to see them all."""
    with pytest.raises(ClinicError) as caught:
        ClinicSettings.read({"clinic": {"time_zone": "x", "date_order": "y"}})

    assert isinstance(caught.value, ClinicSettingsError)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "services.clinic.time_zone",
        "services.clinic.date_order",
    ]


def test_a_block_that_is_no_mapping_is_refused() -> None:
    """`clinic: yes` is a slip of the pen."""
    with pytest.raises(ClinicSettingsError, match=r"services\.clinic: "):
        ClinicSettings.read({"clinic": "yes"})
