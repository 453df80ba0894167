"""The clinic's settings: the `clinic:` block under `action_server: services:` of endpoints.yml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from platformdirs import user_data_dir
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from action_server import DatabaseError
from actions.crm.embedded import EmbeddedCrmSettings, NoCrmSettings
from actions.crm.hubspot import HubSpotSettings
from actions.crm.salesforce import SalesforceSettings
from actions.dates import DateOrder
from actions.errors import ClinicSettingsError
from actions.scheduling.caldav import CalDavSettings
from actions.scheduling.fhir import FhirSettings
from actions.scheduling.models import AppointmentType
from actions.scheduling.opening import OpeningHours
from actions.scheduling.public_holidays import HolidaySettings
from actions.wallclock import MINUTES_PER_DAY, divides_the_day

_BLOCK = "services.clinic"
_FILES = frozenset(("sqlite", "sqlite+aiosqlite"))
_SERVERS = frozenset(("postgres", "postgresql", "postgresql+asyncpg"))


def _database(value: str) -> str:
    if "://" not in value:
        return value
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername in _SERVERS:
        return value
    if url.drivername not in _FILES or not url.database or url.database == ":memory:" or url.query:
        raise ValueError("must be the path of a file, sqlite:///path or postgresql://host/name")
    return url.database


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not the name of a time zone, such as Europe/Berlin") from None
    return value


def _opening_hours(value: str) -> str:
    OpeningHours(value)
    return value


def _language(value: str) -> str:
    if find_spec(f"dateparser.data.date_translation_data.{value}") is None:
        raise ValueError("is not a language that dates can be read in")
    return value


def _locale(value: str) -> str:
    try:
        return str(Locale.parse(value))
    except (UnknownLocaleError, ValueError):
        raise ValueError("is not a locale that dates can be written in, such as en_GB or de") from None


_Minutes = Annotated[int, Field(ge=5, le=MINUTES_PER_DAY, multiple_of=5)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
_Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$"), AfterValidator(_language)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AppointmentTypeSettings(_Settings):
    """How long an appointment of the type takes, and whose time it takes."""

    minutes: _Minutes
    resource: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class EmbeddedSchedulingSettings(_Settings):
    """Appointments are kept in the clinic's own database and nowhere else."""

    type: Literal["embedded"] = "embedded"


SchedulingSettings = Annotated[EmbeddedSchedulingSettings | CalDavSettings | FhirSettings, Field(discriminator="type")]
CrmSettings = Annotated[
    EmbeddedCrmSettings | HubSpotSettings | SalesforceSettings | NoCrmSettings, Field(discriminator="type")
]


def _default_database() -> str:
    return str(Path(user_data_dir("action-server", appauthor=False)) / "clinic.sqlite3")


def _default_types() -> dict[str, AppointmentTypeSettings]:
    # Urgent patients are seen by the doctor who has the general appointments; the specialist's time is another one's.
    return {
        "general": AppointmentTypeSettings(minutes=30, resource="practice"),
        "specialist": AppointmentTypeSettings(minutes=60, resource="specialist"),
        "urgent": AppointmentTypeSettings(minutes=30, resource="practice"),
    }


class ClinicSettings(_Settings):
    """Everything about the clinic that is not code. The defaults describe a doctor's practice in Germany.

    Attributes:
        scheduling: the system that keeps the appointments, by its `type`: embedded, caldav or fhir.
        crm: the system that is told of them, by its `type`: embedded, hubspot, salesforce or none.
        database: the file of the appointments, or a ``postgresql://`` URL if they are shared between hosts.
        database_password_file: holds the password of a PostgreSQL database, which is not in the URL then; it is read
            again for each new connection.
        time_zone: where the clinic's clocks hang; hours and wishes are meant in it.
        opening_hours: OpenStreetMap's syntax, as far as it is certain what it means. On public holidays the clinic is
            closed, unless a rule for ``PH`` says what holds then.
        holidays: whose public holidays; null for a clinic that opens on them.
        appointment_types: by the name that the slot `appointment_type` holds.
        horizon_days: how many days ahead appointments are given.
        start_every_minutes: appointments start on this grid, counted from midnight.
        languages: in which dates are read besides English, as dateparser names them. Times of day are read in de, es,
            fr, it, nl, pl and pt; of any other language, days alone, and the log says so at the start.
        locale: how dates and times are written, as Babel names it: en_GB, en_US, de, fr.
        summary_seconds: how long a summary takes at least. Above 0 it is slow on purpose, to see that it comes later.
        date_order: what 1.12. means: DMY the first of December, MDY the twelfth of January.
    """

    scheduling: SchedulingSettings = EmbeddedSchedulingSettings()
    crm: CrmSettings = EmbeddedCrmSettings()
    database: Annotated[str, Field(min_length=1), AfterValidator(_database)] = Field(default_factory=_default_database)
    database_password_file: Path | None = None
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "Europe/Berlin"
    opening_hours: Annotated[str, AfterValidator(_opening_hours)] = "Mo-Fr 08:00-12:00,13:00-17:00"
    holidays: HolidaySettings | None = HolidaySettings(country="DE")
    appointment_types: Annotated[dict[_Name, AppointmentTypeSettings], Field(min_length=1)] = Field(
        default_factory=_default_types
    )
    horizon_days: Annotated[int, Field(ge=1, le=366)] = 60
    start_every_minutes: Annotated[_Minutes, AfterValidator(divides_the_day)] = 30
    languages: tuple[_Language, ...] = ("en",)
    locale: Annotated[str, AfterValidator(_locale)] = "en_GB"
    summary_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    date_order: DateOrder = "DMY"

    @model_validator(mode="after")
    def _password_is_asked_for(self) -> ClinicSettings:
        if self.database_password_file is not None:
            if "://" not in self.database:
                raise ValueError("database_password_file does nothing without a PostgreSQL database: set database, too")
            if make_url(self.database).password is not None:
                raise ValueError("database_password_file stands beside another password in the URL of database")
        return self

    @model_validator(mode="after")
    def _holidays_are_known(self) -> ClinicSettings:
        if self.holidays is None and OpeningHours(self.opening_hours).speaks_of_holidays:
            raise ValueError(
                "opening_hours has a rule for PH, and holidays does not say whose public holidays these are"
            )
        return self

    @model_validator(mode="after")
    def _every_resource_has_a_place(self) -> ClinicSettings:
        match self.scheduling:
            case CalDavSettings(calendars=places):
                where = "calendars"
            case FhirSettings(schedules=places):
                where = "schedules"
            case _:
                return self
        missing = sorted({kind.resource for kind in self.appointment_types.values()} - set(places))
        if missing:
            raise ValueError(f"scheduling.{where} has no entry for the resource {missing[0]} of appointment_types")
        return self

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> ClinicSettings:
        """Return the settings in the `services` mapping; raises `ClinicSettingsError`, which repeats no value."""
        try:
            return cls.model_validate(config.get("clinic") or {})
        except ValidationError as exc:
            raise ClinicSettingsError([_problem(error) for error in exc.errors()]) from None

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def database_location(self) -> str | Path:
        """The file of the clinic's own data, or the URL of the PostgreSQL database that holds it."""
        return self.database if "://" in self.database else Path(self.database).expanduser()

    def database_password(self) -> str:
        """Return the database's password from its file; raises `DatabaseError` if it is not there."""
        file = self.database_password_file
        try:
            password = file.read_text(encoding="utf-8-sig").strip("\r\n") if file and file.is_file() else ""
        except (OSError, ValueError):
            password = ""
        if not password:
            raise DatabaseError(f"{_BLOCK}.database_password_file: {file} is not there, empty or unreadable")
        return password

    @property
    def kinds(self) -> dict[str, AppointmentType]:
        """The appointment types by name."""
        return {
            name: AppointmentType(name, timedelta(minutes=kind.minutes), kind.resource)
            for name, kind in self.appointment_types.items()
        }


def _problem(error: ErrorDetails) -> str:
    # pydantic puts the `type` that was chosen into the place, after the key that it was chosen for.
    chosen = {n + 1 for n, part in enumerate(error["loc"]) if part in ("scheduling", "crm", "auth")}
    key = ".".join([_BLOCK, *(str(part) for n, part in enumerate(error["loc"]) if n not in chosen)])
    if error["type"] == "union_tag_invalid":
        # Its own message repeats what was given.
        return f"{key}.type: must be one of {error['ctx']['expected_tags']}"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
