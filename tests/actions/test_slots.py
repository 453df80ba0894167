"""What the clinic's slots are worth: anything may stand in them, and only what is surely meant counts."""

from __future__ import annotations

import pytest

from actions.scheduling.models import Patient
from actions.slots import ClinicSlots


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("  Erika Geheim ", "Erika Geheim"),
        (5550123, "5550123"),
        ("", None),
        (True, None),
        ("a\nb", None),
        (["a"], None),
    ],
)
def test_a_text_is_what_can_be_shown_in_one_line(said: object, name: str | None) -> None:
    """Numbers are texts, as a telephone number may be one; what is no text is nothing, and stops no booking."""
    assert ClinicSlots.model_validate({"patient_name": said}).patient_name == name


def test_a_text_is_not_a_novel() -> None:
    """Two hundred characters are a long name."""
    assert ClinicSlots(patient_name="x" * 200).patient_name == "x" * 200
    assert ClinicSlots(patient_name="x" * 201).patient_name is None


@pytest.mark.parametrize(
    ("said", "email"), [("a@b.example", "a@b.example"), ("a@b@c", None), ("no", None), ("a @b", None), (7, None)]
)
def test_an_address_has_one_at_sign_and_no_space(said: object, email: str | None) -> None:
    """Nothing more is known of addresses."""
    assert ClinicSlots.model_validate({"patient_email": said}).patient_email == email


@pytest.mark.parametrize(
    ("said", "yes"),
    [
        (None, None),
        (True, True),
        ("true", True),
        (" Yes ", True),
        (False, False),
        ("no", False),
        (1, False),
        ("", False),
    ],
)
def test_a_cancellation_is_confirmed_by_what_is_surely_a_yes(said: object, yes: bool | None) -> None:
    """Engines and models write booleans in several ways; everything else is a no."""
    assert ClinicSlots.model_validate({"cancellation_confirmed": said}).cancellation_confirmed is yes


def test_the_patient_is_whom_the_conversation_is_with() -> None:
    """As far as the slots know; the rest stays open."""
    slots = ClinicSlots.model_validate({"patient_name": "Erika", "patient_email": "nowhere", "patient_phone": 110})

    assert slots.patient("sender") == Patient("sender", "Erika", None, "110")
