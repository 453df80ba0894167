"""What has to be known of a CalDAV server to keep appointments there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from actions.transport import TransportSettings
from actions.wallclock import MINUTES_PER_DAY, divides_the_day


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://cloud.example.org/remote.php/dav/, without ? and #")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or a password: they have settings of their own")
    return value.rstrip("/") + "/"


def _path(value: str) -> str:
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        raise ValueError("must be a path or an address without ? and #")
    return value.rstrip("/") + "/"


_Path = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$"), AfterValidator(_path)]


class CalDavSettings(BaseModel):
    """A CalDAV server whose calendars hold the clinic's appointments: one calendar for each resource.

    Attributes:
        url: the server's address; paths of calendars are relative to it.
        username: with `password` or `password_file`, for Basic authentication.
        token: sent as a bearer token instead, or `token_file`. Without any of them nothing is sent.
        calendars: by resource of the clinic, the path (or the address, on the same server) of its calendar.
        cell_minutes: the grid on which writers exclude each other. All hosts need the same, and an appointment should
            start and end on it: two appointments that have a part of one cell exclude each other.
        create: create calendars that are missing.
        patient_name: write the patient's name into the event's title; nothing else about them is ever written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["caldav"]
    url: Annotated[str, AfterValidator(_address)]
    username: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^:]+$")] | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    token: SecretStr | None = None
    token_file: Path | None = None
    calendars: Annotated[dict[str, _Path], Field(min_length=1)]
    cell_minutes: Annotated[int, Field(ge=5, le=MINUTES_PER_DAY), AfterValidator(divides_the_day)] = 30
    create: bool = False
    patient_name: bool = True
    transport: TransportSettings = TransportSettings()

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> CalDavSettings:
        passwords = (self.password is not None) + (self.password_file is not None)
        tokens = (self.token is not None) + (self.token_file is not None)
        if tokens > 1:
            raise ValueError("only one of token and token_file can be set")
        if tokens and (passwords or self.username):
            raise ValueError("a token needs no username and no password")
        if passwords != (1 if self.username else 0):
            raise ValueError("username needs exactly one of password and password_file, and these need a username")
        return self

    @model_validator(mode="after")
    def _calendars_are_apart(self) -> CalDavSettings:
        addresses = [self.address(resource) for resource in self.calendars]
        if any(_origin(address) != _origin(self.url) for address in addresses):
            raise ValueError("calendars: each must be on the server of url, which alone is shown the credentials")
        if len(set(addresses)) < len(addresses):
            raise ValueError("calendars: two resources must not share a calendar, or they exclude each other")
        return self

    def address(self, resource: str) -> str:
        """Return the whole address of a resource's calendar, with a slash at its end; raises `KeyError`."""
        return urljoin(self.url, self.calendars[resource])

    @property
    def origin(self) -> str:
        """The server's address without a path."""
        return "{}://{}".format(*_origin(self.url))


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower()
