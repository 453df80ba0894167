"""What has to be known of a FHIR server to keep appointments there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from actions.transport import BaseUrl, CredentialsSettings, TransportSettings
from actions.transport.credential_settings import NoCredentialsSettings

# What is done with each type of resource, as SMART's scopes (version 2) name it: c create, r read, u update, s search.
SCOPE = "system/Appointment.crus system/Schedule.r system/Slot.rus"


# An identifier's system and value are joined with | in a search, and a comma there means "or".
_System = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s|,$\\]+$", max_length=200)]
_Schedule = Annotated[str, StringConstraints(pattern=r"^Schedule/[A-Za-z0-9.-]{1,64}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SmartSettings(_Settings):
    """SMART Backend Services: a client without a user proves itself by a signed assertion.

    Attributes:
        client_id: as which the client is registered.
        private_key: the key in PEM, whose public half is registered; it or `private_key_file`, which is read when the
            first token is fetched.
        key_id: the `kid` under which the key is registered.
        algorithm: RS384 for an RSA key, ES384 for one on the curve P-384.
        scope: what is asked for. Servers that know SMART's version 1 alone call it system/Slot.read and so on.
        token_url: where tokens are issued; if it is None, the server's .well-known/smart-configuration says where.
    """

    type: Literal["smart"]
    client_id: Annotated[str, Field(min_length=1)]
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    key_id: Annotated[str, Field(min_length=1)]
    algorithm: Literal["RS384", "ES384"] = "RS384"
    scope: Annotated[str, Field(min_length=1)] = SCOPE
    token_url: BaseUrl | None = None

    @model_validator(mode="after")
    def _has_one_key(self) -> SmartSettings:
        if (self.private_key is None) == (self.private_key_file is None):
            raise ValueError("needs exactly one of private_key, private_key_file")
        return self


_Code = Annotated[str, StringConstraints(pattern=r"^\S+( \S+)*$", max_length=80)]


class SlotCodeSettings(_Settings):
    """A code that Slots carry as their serviceType or appointmentType."""

    system: _System
    code: _Code


class CodingSettings(_Settings):
    """What a code system calls an appointment type, and which other codes of Slots mean that it may be made there."""

    system: _System
    code: _Code
    display: str | None = None
    slots: tuple[SlotCodeSettings, ...] = ()

    @property
    def coding(self) -> dict[str, str]:
        """The coding as a resource has it."""
        return {"system": self.system, "code": self.code, **({"display": self.display} if self.display else {})}

    @property
    def codes(self) -> set[tuple[str, str]]:
        """Every system and code that fits."""
        return {(self.system, self.code), *((one.system, one.code) for one in self.slots)}


class FhirSettings(_Settings):
    """A FHIR R4 server that keeps the clinic's appointments.

    Attributes:
        url: the service's base, the address before /Slot and /metadata.
        auth: how the server knows who asks: `none`, `bearer`, `smart`, or another one of the transport's.
        schedules: by resource of the clinic, the Schedule whose Slots are that resource's time.
        identifier_system: the system of the identifiers by which entries are found again. Entries that were made under
            another one are not found, so it stays as it is.
        patient_identifier_system: the system of Patient.identifier whose values are conversations' sender ids, for
            channels where patients are signed in; None for channels that do not know who is writing.
        appointment_types: by appointment type of the clinic, its coding in the server's world. A Slot that says by code
            what it is for, and names another one, is not used for it.
        longest_slot_hours: how long a Slot that is free or has an appointment may be: what starts earlier than this
            before a time is not looked at. Closures (`busy-unavailable`, `busy-tentative`) are seen at any length.
        search_lag_seconds: how long a search may not know yet what was written: so long it is asked again before an
            Appointment is created for the second time.
    """

    type: Literal["fhir"]
    url: BaseUrl
    auth: Annotated[CredentialsSettings | SmartSettings, Field(discriminator="type")] = NoCredentialsSettings(
        type="none"
    )
    schedules: Annotated[dict[str, _Schedule], Field(min_length=1)]
    identifier_system: _System = "urn:action-server:appointment"
    patient_identifier_system: _System | None = None
    appointment_types: dict[str, CodingSettings] = {}
    longest_slot_hours: Annotated[int, Field(ge=1, le=14 * 24)] = 24
    search_lag_seconds: Annotated[float, Field(ge=0, le=8)] = 3
    transport: TransportSettings = TransportSettings()

    @model_validator(mode="after")
    def _one_schedule_each(self) -> FhirSettings:
        if len(set(self.schedules.values())) < len(self.schedules):
            raise ValueError("schedules: two resources must not share a Schedule")
        return self
