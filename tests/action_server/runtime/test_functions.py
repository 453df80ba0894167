"""A typed function is an action: a class that every action server finds, and a function still."""

from __future__ import annotations

import functools
import gc
import inspect
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from rasa_sdk import Action
from rasa_sdk.types import DomainDict

from action_server import Registry, action, action_options, idempotent
from action_server.errors import LoadError, RegistrationError
from action_server.runtime.functions import ActionFunction, TypedAction
from action_server.runtime.loader import load
from action_server.runtime.options import ActionOptions, OptionsTable
from tests.action_server.runtime.typed_calls import slots_after
from tests.projects import project


class Booked(BaseModel):
    reference: str


@action
async def create_appointment(day: str, size: int = 1) -> Booked:
    """Book an appointment.

    Args:
        day: When.
    """
    return Booked(reference=f"{day} {size}")


@action(name="cancel it")
def cancel(reference: str) -> dict[str, Any]:
    return {"cancelled": reference}


async def test_the_class_is_an_action_like_any_other() -> None:
    """Made without arguments, of the author's module, with `run(dispatcher, tracker, domain)`."""
    cls = create_appointment.action_class

    assert issubclass(cls, Action)
    assert (cls.__module__, cls.__qualname__) == (__name__, "create_appointment")
    assert cls.__doc__ == "Book an appointment."
    assert cls().name() == "action_create_appointment"
    assert list(inspect.signature(cls().run).parameters) == ["dispatcher", "tracker", "domain"]
    assert cls.__action_result__ is Booked
    assert await slots_after(create_appointment, day="Monday") == {"reference": "Monday 1"}
    assert await slots_after(cancel, reference="a") == {"cancelled": "a"}


async def test_the_function_stays_what_it_was() -> None:
    """A test calls it with whatever it likes and looks at what it returns."""
    assert await create_appointment("Monday", size=2) == Booked(reference="Monday 2")
    assert cancel(reference="a") == {"cancelled": "a"}


def test_a_registry_knows_its_name_its_place_and_where_it_runs() -> None:
    """`list` and the log show the function; the engine need not send a domain that nobody looks at."""

    @action
    def look(domain: DomainDict) -> None: ...

    registry = Registry()
    for function in (create_appointment, cancel, look):
        registry.register_action(function.action_class)

    found = {a.name: a for a in registry}
    assert list(found) == ["action_create_appointment", "cancel it", "action_look"]
    booking = found["action_create_appointment"]
    line = inspect.unwrap(create_appointment).__code__.co_firstlineno
    assert booking.place == f"{Path(__file__).relative_to(Path.cwd())}:{line}"
    assert booking.source == f"{__name__}.create_appointment"
    assert [a.is_async for a in registry] == [True, False, False]
    assert [a.reads_domain for a in registry] == [False, False, True]


def test_its_run_can_be_sent_to_another_process() -> None:
    """rasa-sdk does so with each, and there the name of the class is that of the function."""
    run = pickle.loads(pickle.dumps(create_appointment.action_class().run))  # noqa: S301 - just written

    assert run.__self__.name() == "action_create_appointment"


def test_a_class_lives_as_long_as_its_module() -> None:
    """Also where nobody keeps the function: rasa-sdk finds actions as living subclasses. A newer one replaces it."""

    def define() -> None:
        @action(name="action_kept")
        def kept() -> None: ...

    for _ in range(2):
        define()
        gc.collect()
        living = [cls.__name__ for cls in TypedAction.__subclasses__()].count("kept")
        assert living == 1


def options_of(function: ActionFunction[..., Any]) -> ActionOptions:
    return OptionsTable(ActionOptions(), {}).of("action_x", function.action_class().run)


def test_marks_count_above_and_below() -> None:
    """Options and rules of repeats, in whatever order they are written."""

    @idempotent
    @action
    @action_options(timeout=3)
    def above_and_below() -> None: ...

    @action_options(timeout=4)
    @action
    @idempotent(key="size", within=60)
    def the_other_way() -> None: ...

    first, second = options_of(above_and_below), options_of(the_other_way)
    assert (first.timeout, bool(first.idempotent)) == (3, True)
    assert second.timeout == 4
    assert second.idempotent
    assert second.idempotent.key == ("size",)


async def test_a_function_that_another_decorator_wraps_is_awaited() -> None:
    """Also where the wrapper itself is no coroutine."""

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inner

    @action
    @logged
    async def wrapped(size: int) -> dict[str, int]:
        return {"size": size + 1}

    assert await slots_after(wrapped, size=1) == {"size": 2}


@pytest.mark.parametrize(
    ("own", "called"),
    [("book", "action_book"), ("action_book", "action_book"), ("_book", "action_book")]
    + [(own, own) for own in ("action_ask_size", "action_session_start")],
)
def test_an_action_has_the_function_s_name(own: str, called: str) -> None:
    """With `action_` before it; one that has that already is meant so, also where engines have their own."""

    def function() -> None: ...

    function.__name__ = own

    assert action(function).action_class().name() == called


def _generator() -> Iterator[dict[str, Any]]:
    yield {}


async def _async_generator() -> AsyncIterator[dict[str, Any]]:
    yield {}


def _int() -> int:
    return 1


class Holder:
    def method(self) -> None: ...


REFUSED: dict[str, tuple[Any, str]] = {
    "decorated twice": (cancel, "cancel is decorated with @action twice"),
    "a class": (Booked, "Booked is a class; an Action class needs no @action"),
    "an object": (functools.partial(_int), "partial is a partial and no function"),
    "a method": (Holder.method, "Holder.method is a method; @action is for functions of a module"),
    "a generator": (_generator, "_generator yields; return a list of events instead"),
    "an async generator": (_async_generator, "_async_generator yields; return a list of events instead"),
    "a number": (_int, "_int returns int; return a model, a dataclass or a dict of slots, events, or None"),
}


@pytest.mark.parametrize(("function", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_an_action_is_refused_where_it_stands(function: Any, message: str) -> None:
    """When the module is imported, with what to do."""
    with pytest.raises(RegistrationError, match=message):
        action(function)


@pytest.mark.parametrize(
    ("own", "name", "message"),
    [
        ("validate_size", None, "would be 'validate_size', a validator; write a class of FormValidationAction"),
        ("action_validate_slot_mappings", None, "a validator"),
        ("check", "validate_size", "would be 'validate_size', a validator"),
        ("utter_hello", None, "would be 'utter_hello', which engines take for a response"),
        ("ask_size", None, "would be 'action_ask_size', which asks for a slot; call the function so if that is meant"),
        ("session_start", None, "would be 'action_session_start', one of the engine's own"),
        ("check", " ", "has an empty name, or one that is no text"),
        ("check", 5, "has an empty name, or one that is no text"),
    ],
)
def test_a_name_that_engines_take_for_something_else_is_refused(own: str, name: Any, message: str) -> None:
    """It says for what, and what is meant to be written instead."""

    def function() -> None: ...

    function.__name__ = own

    with pytest.raises(RegistrationError, match=message):
        action(name=name)(function)


def test_a_package_with_typed_functions_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it imports from a module somebody has imported before count as well, as with classes."""
    files = {
        "typed_library.py": "from action_server import action\n@action\ndef shared(size: int) -> None: ...\n",
        "typed_bot.py": """
            from action_server import action
            from typed_library import shared

            @action
            def own(size: int) -> None: ...
        """,
    }
    monkeypatch.syspath_prepend(project(tmp_path, files))
    __import__("typed_library")

    assert {a.name for a in load("typed_bot", strict=True).registry} == {"action_shared", "action_own"}


def test_a_function_that_cannot_be_an_action_ends_the_start_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line about the function, and none about the import that failed by it."""
    text = "from action_server import action\n\n@action\ndef wrong(size) -> None: ...\n"
    monkeypatch.syspath_prepend(project(tmp_path, {"typed_wrong.py": text}))

    with pytest.raises(RegistrationError, match=r"typed_wrong\.py:3: wrong has the parameter 'size' without a type"):
        load("typed_wrong")
    assert not issubclass(RegistrationError, LoadError)
