"""What a Slot is for: which appointment types may be made in it, as far as its codes say."""

from __future__ import annotations

from collections.abc import Mapping

from actions.scheduling.fhir.resources import FhirSlot
from actions.scheduling.fhir.settings import CodingSettings

CODE = "its serviceType or appointmentType is another one"
MODIFIED = "it has a modifierExtension that is not known here"


class Fitness:
    """Says for which appointment types a Slot is certainly not; without codes in the settings that is for none."""

    def __init__(self, types: Mapping[str, CodingSettings]) -> None:
        self._codes = {name: coding.codes for name, coding in types.items()}

    def objection(self, slot: FhirSlot, appointment_type: str | None) -> str | None:
        """Return why an appointment of that type cannot be made in the Slot; None if it may be.

        Without a type only what holds for all of them is asked.
        """
        if not slot.is_understood:
            return MODIFIED
        if appointment_type is None:
            return None
        own = self._codes.get(appointment_type, set())
        others = set().union(*(codes for name, codes in self._codes.items() if name != appointment_type)) - own
        services, kinds = slot.codings
        # The own code is one of an appointmentType; a serviceType may be of another system, which says nothing of it.
        systems = {system for system, _ in own}
        if kinds and not kinds & own and (own or kinds & others):
            return CODE
        if services and not services & own and (services & others or {system for system, _ in services} & systems):
            return CODE
        return None
