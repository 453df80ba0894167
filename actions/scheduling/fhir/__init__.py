"""Appointments in a clinical system that speaks FHIR R4: Slots are claimed, Appointments say for whom."""

from __future__ import annotations

from actions.scheduling.fhir.authorization import fhir_credentials
from actions.scheduling.fhir.calendar import FhirCalendar
from actions.scheduling.fhir.settings import FhirSettings, SmartSettings

__all__ = ["FhirCalendar", "FhirSettings", "SmartSettings", "fhir_credentials"]
