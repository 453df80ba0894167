"""Arguments are checked before anything is written: what a job gets is what was given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from action_server import job
from action_server.errors import JobError, RegistrationError
from action_server.jobs.values import MOST_BYTES


class Patient(BaseModel):
    """A model."""

    name: str
    born: date


@dataclass
class Window:
    """A dataclass."""

    start: date
    days: int = 1


@job
async def book(patient: Patient, window: Window, note: str = "", extra: Any = None) -> str:
    """Take all kinds."""
    return f"{patient}{window}{note}{extra}"


@job
def plain(value: Any) -> None:
    """Take anything."""


def test_typed_arguments_come_back_as_they_were() -> None:
    """Models, dataclasses, dates; what is left out is the function's default."""
    patient, window = Patient(name="Änne", born=date(1980, 1, 2)), Window(date(2026, 12, 1))

    text = book.encode_arguments({"patient": patient, "window": window})

    assert book.decode_arguments(text) == {"patient": patient, "window": window}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "a\0b",
        {"deep": ["a\0b"]},
        "\ud800",
        {1: "one"},
        (1, 2),
        {1, 2},
        object(),
        b"\xff",
        "x" * MOST_BYTES,
    ],
    ids=[
        "nan",
        "inf",
        "nul",
        "nul inside",
        "surrogate",
        "integer keys",
        "tuple",
        "set",
        "object",
        "bytes",
        "too large",
    ],
)
def test_what_would_not_come_back_is_refused(value: object) -> None:
    """The error names job and argument, and does not repeat the value."""
    with pytest.raises(JobError, match=r"^job plain: argument 'value'"):
        plain.encode_arguments({"value": value})


def test_a_backslash_is_no_nul() -> None:
    """Text that only looks like the escape passes."""
    text = plain.encode_arguments({"value": "\\u0000"})

    assert plain.decode_arguments(text) == {"value": "\\u0000"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "missing a required argument"),
        ({"patient": {"name": "Anna"}, "window": {"start": "2026-12-01"}}, "argument 'patient': born: Field required"),
        ({"nobody": 1}, "missing a required|unexpected keyword"),
    ],
)
def test_arguments_are_those_of_the_function(arguments: dict[str, object], said: str) -> None:
    """Missing, unknown or of another type."""
    with pytest.raises(JobError, match=said):
        book.encode_arguments(arguments)


def test_a_stored_call_that_fits_no_longer_says_so() -> None:
    """The function may have changed since."""
    with pytest.raises(JobError, match="job plain: "):
        plain.decode_arguments('{"gone": 1}')


def takes_any(*values: int) -> None:
    """Has no names for them."""


class Opaque:
    """A class that pydantic does not know."""


def takes_opaque(value: Opaque) -> None:
    """Cannot be JSON."""


def yields() -> Any:
    """Is a generator."""
    yield 1


@pytest.mark.parametrize("function", [takes_any, takes_opaque, yields], ids=["star", "opaque", "generator"])
def test_a_function_that_cannot_be_a_job_is_refused_with_its_place(function: Any) -> None:
    """When it is marked, or at the start of the server."""
    with pytest.raises(RegistrationError, match=r"test_values\.py:\d+: job"):
        job(function).prepare()


def test_rules_are_checked() -> None:
    """When they are written."""
    for wrong in ({"retries": -1}, {"backoff": -1.0}, {"timeout": 0.0}, {"deadline": 0.0}):
        with pytest.raises(JobError, match="0 or more"):
            job(**wrong)
    with pytest.raises(JobError, match="a delay is"):
        plain.having(delay=-1)


async def test_called_it_runs_here() -> None:
    """As if it had not been marked: for tests, and for actions that cannot wait."""
    assert plain(1) is None
    assert "Anna" in await book(Patient(name="Anna", born=date(1980, 1, 2)), Window(date(2026, 12, 1)))
