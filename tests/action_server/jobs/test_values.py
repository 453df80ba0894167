"""Arguments are checked before anything is written: what a job gets is what was given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
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


NO_RULES = [
    ({"retries": -1}, "a job's `retries` is a whole number, 0 or more, and not -1"),
    ({"retries": "3"}, "a job's `retries` is a whole number, 0 or more, and not '3'"),
    ({"retries": 2.5}, "a job's `retries` is a whole number, 0 or more, and not 2.5"),
    ({"at_once": 0}, "a job's `at_once` is a whole number, 1 or more, and not 0"),
    ({"backoff": -1.0}, "a job's `backoff` is a number of seconds, 0 or more, and not -1.0"),
    ({"timeout": 0.0}, "a job's `timeout` is a number of seconds, more than 0, and not 0.0"),
    ({"deadline": None}, "a job's `deadline` is a number of seconds, more than 0, and not None"),
    ({"every": math.nan}, "a job's `every` is a number of seconds, more than 0, and not nan"),
    ({"every": math.inf}, "a job's `every` is a number of seconds, more than 0, and not inf"),
    ({"every": 0}, "a job's `every` is a number of seconds, more than 0, and not 0"),
    ({"every": True}, "a job's `every` is a number of seconds, more than 0, and not True"),
    ({"every": timedelta(hours=1)}, r"a job's `every` is a number of seconds, more than 0, and not datetime\."),
    ({"forgets": "no"}, "a job's `forgets` is True or False, and not 'no'"),
    ({"evry": 3}, "@job has no option 'evry'; did you mean 'every'"),
]


@pytest.mark.parametrize(("options", "said"), NO_RULES, ids=[str(options) for options, _ in NO_RULES])
def test_rules_are_checked(options: dict[str, Any], said: str) -> None:
    """When they are written: one that is no number would end no run, or forget what is to be kept."""
    with pytest.raises(JobError, match=said):
        job(**options)


def test_wishes_are_checked() -> None:
    """A time that is none would never come, or be a row that no database takes."""
    for delay in (-1, math.nan, math.inf, "5"):
        with pytest.raises(JobError, match="job plain: its `delay` is a number of seconds, 0 or more"):
            plain.having(delay=delay)  # type: ignore[arg-type]
    with pytest.raises(JobError, match="job plain: its `deadline` is a number of seconds, more than 0"):
        plain.having(deadline=math.nan)


def _do_nothing() -> None: ...


NO_JOBS = [
    ({"name": ""}, "needs a name"),
    ({"name": "two\nlines"}, "needs a name"),
    ({"name": 5}, "needs a name"),
    ({"name": "action_server.deliver"}, "'action_server.deliver' needs another name"),
    ({"on_giving_up": ["a", "b"]}, "neither a text nor a function"),
]


@pytest.mark.parametrize(("options", "said"), NO_JOBS, ids=[str(options) for options, _ in NO_JOBS])
def test_what_a_job_is_called_and_says_is_checked(options: dict[str, Any], said: str) -> None:
    """A name of the server's own would be taken for the one that delivers."""
    with pytest.raises(RegistrationError, match=rf"test_values\.py:\d+: job .*{said}"):
        job(**options)(_do_nothing)


def test_what_is_no_function_is_refused() -> None:
    """A name that is given as in other libraries, a class, and a job."""
    with pytest.raises(JobError, match="write @job, or @job"):
        job("a_name")  # type: ignore[call-overload]
    with pytest.raises(RegistrationError, match="job 'Patient' is a class, and no function"):
        job(Patient)
    with pytest.raises(RegistrationError, match="job 'plain' has two @job"):
        job(plain)


async def test_called_it_runs_here() -> None:
    """As if it had not been marked: for tests, and for actions that cannot wait."""
    assert plain(1) is None
    assert "Anna" in await book(Patient(name="Anna", born=date(1980, 1, 2)), Window(date(2026, 12, 1)))
