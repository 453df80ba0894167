"""A typed function as an action: ``@action`` makes of it a class that any action server of Rasa's kind runs::

    @action
    async def create_appointment(preferred_date: date, book: AppointmentBook, note: str | None = None) -> Booked:
        \"\"\"Book an appointment.\"\"\"

It is registered as ``action_create_appointment``. The function stays what it was, so that a test calls it.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel
from rasa_sdk import Action
from rasa_sdk.events import EventType

from action_server.errors import RegistrationError
from action_server.project.engine_names import action_of_function, is_default_action
from action_server.runtime.docstrings import read_docstring
from action_server.runtime.function_parameters import Fail, Parameters, read_parameters
from action_server.runtime.function_results import events_of, result_model
from action_server.runtime.slots import Slots
from action_server.runtime.threads import is_async
from action_server.source import one_line, place_of

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

_CLASS = "action_class"


class ActionFunction(Protocol[P, R_co]):
    """A function that is an action as well: it is called as it was written, ``action_class`` is what servers run."""

    action_class: type[TypedAction]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself."""
        ...


class _TypedActionMeta(ABCMeta):
    def __getattr__(cls, name: str) -> object:
        # What other decorators mark the function with, above `@action` or below it, counts for the action.
        wrapped = cls.__dict__.get("__wrapped__")
        marks = vars(wrapped.__func__) if wrapped is not None else {}
        if name in marks and name != _CLASS:
            return marks[name]
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


# Abstract, as are all bases of actions that are none: rasa-sdk makes an instance of every other class.
class TypedAction(Action, metaclass=_TypedActionMeta):
    """The base of the classes that `action` makes.

    ``__action_parameters__`` is the model of the slots that the function reads, ``__action_result__`` the one of those
    that it sets, or None where its return type does not tell.
    """

    __action_parameters__: type[Slots]
    __action_result__: type[BaseModel] | None

    @abstractmethod
    def name(self) -> str:
        """Return the action's name."""

    def __reduce__(self) -> tuple[Any, ...]:
        # rasa-sdk sends its actions to another process, where the name of the class is that of the function.
        return _instance_of, (type(self).__dict__["__wrapped__"].__func__,)


def _instance_of(function: Any) -> TypedAction:
    made: TypedAction = getattr(function, _CLASS)()
    return made


# So that a class is not collected where nobody keeps its function: rasa-sdk finds actions as living subclasses.
_made: dict[tuple[str, str, str], type[TypedAction]] = {}


@overload
def action(function: Callable[P, R_co], /) -> ActionFunction[P, R_co]: ...


@overload
def action(*, name: str | None = None) -> Callable[[Callable[P, R_co]], ActionFunction[P, R_co]]: ...


def action(function: Any = None, /, *, name: Any = None) -> Any:
    """Make an action of a function; without ``name`` it is called ``action_`` and the function's name.

    Parameters are slots by their types, or what their class says: `Tracker`, `CollectingDispatcher`, `DomainDict`,
    `Slots` classes and services. A slot that is null has the parameter's default. Returned are slots, as a model, a
    dataclass or a dict, or events, or None.

    Raises:
        RegistrationError: it cannot be an action; it says where, why and what to write instead.
    """
    names = sys._getframe(1).f_locals
    if function is not None:
        return _decorate(function, name, names)
    return lambda decorated: _decorate(decorated, name, names)


def _decorate(function: Any, name: object, names: Mapping[str, Any]) -> Any:
    what = getattr(function, "__qualname__", type(function).__name__)
    fail = partial(RegistrationError, what, place_of(function))
    _check_function(function, fail)
    called = _action_name(function, name, fail)
    hints = _hints(function, names, fail)
    text = read_docstring(function.__doc__)
    parameters = read_parameters(inspect.signature(function), hints, text.parameters, fail)
    try:
        result = result_model(hints.get("return"))
    except TypeError as exc:
        problem = f"returns {exc}; return a model, a dataclass or a dict of slots, events, or None"
        raise fail(problem) from None
    cls = _class_of(function, called, parameters, result, text.summary)
    setattr(function, _CLASS, cls)
    _made[function.__module__, function.__qualname__, called] = cls
    return function


def _check_function(function: Any, fail: Fail) -> None:
    if isinstance(function, type):
        raise fail("is a class; an Action class needs no @action")
    if not inspect.isfunction(function):
        raise fail(f"is a {type(function).__name__} and no function; put @action below other decorators")
    if _CLASS in vars(function):
        raise fail("is decorated with @action twice")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise fail("yields; return a list of events instead")
    holder = function.__qualname__.rpartition(".")[0]
    if holder and not holder.endswith("<locals>"):
        raise fail("is a method; @action is for functions of a module")


def _action_name(function: Any, name: object, fail: Fail) -> str:
    """Return the action's name, if engines take it for nothing else."""
    own: str = function.__name__
    if name is None:
        called = action_of_function(own)
    elif isinstance(name, str) and name.strip():
        called = name
    else:
        raise fail("has an empty name, or one that is no text")
    for word in (own, called) if name is None else (called,):
        if word.startswith("validate_") or word == "action_validate_slot_mappings":
            raise fail(f"would be {word!r}, a validator; write a class of FormValidationAction or ValidationAction")
        if word.startswith("utter_"):
            raise fail(f"would be {word!r}, which engines take for a response; give it another name")
    if called in (own, name):
        return called
    if called.startswith("action_ask_"):
        raise fail(f"would be {called!r}, which asks for a slot; call the function so if that is meant")
    if is_default_action(called):
        raise fail(f"would be {called!r}, one of the engine's own; call the function so if it is to replace that")
    return called


def _hints(function: Any, names: Mapping[str, Any], fail: Fail) -> dict[str, Any]:
    """Return the function's annotations, also where they are texts; ``names`` are those around it."""
    try:
        return get_type_hints(function, localns=dict(names), include_extras=True)
    except NameError as exc:
        raise fail(
            f"has a type that is not there when the module is imported ({exc.name}); import it outside of "
            "`if TYPE_CHECKING:`"
        ) from exc
    except Exception as exc:
        raise fail(f"has a type that cannot be read: {one_line(exc)}") from exc


def _class_of(
    function: Any, called: str, parameters: Parameters, result: type[BaseModel] | None, description: str
) -> type[TypedAction]:
    def name(self: TypedAction) -> str:
        return called

    parameters.model.__name__ = parameters.model.__qualname__ = function.__name__
    attributes = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": description or None,
        "__wrapped__": staticmethod(function),
        "__action_parameters__": parameters.model,
        "__action_result__": result,
        "name": name,
        "run": _run_of(function, parameters),
    }
    return cast("type[TypedAction]", _TypedActionMeta(function.__name__, (TypedAction,), attributes))


def _run_of(function: Any, parameters: Parameters) -> Callable[..., Any]:
    """Return the `run` of a function, a coroutine if the function is one.

    The domain is named only where it is needed: an engine that need not send it sends less (`reads_domain`).
    """
    what, values = function.__qualname__, parameters.values
    waits, takes_domain = is_async(function) or is_async(inspect.unwrap(function)), parameters.takes_domain

    async def finish(returned: Any) -> list[EventType]:
        return events_of(await returned if inspect.isawaitable(returned) else returned, what)

    async def run_async(self: TypedAction, dispatcher: Any, tracker: Any, domain: Any) -> list[EventType]:
        return await finish(function(**values(dispatcher, tracker, None)))

    async def run_async_with_domain(self: TypedAction, dispatcher: Any, tracker: Any, domain: Any) -> list[EventType]:
        return await finish(function(**values(dispatcher, tracker, domain)))

    def run(self: TypedAction, dispatcher: Any, tracker: Any, domain: Any) -> list[EventType]:
        return events_of(function(**values(dispatcher, tracker, None)), what)

    def run_with_domain(self: TypedAction, dispatcher: Any, tracker: Any, domain: Any) -> list[EventType]:
        return events_of(function(**values(dispatcher, tracker, domain)), what)

    if waits:
        chosen: Any = run_async_with_domain if takes_domain else run_async
    else:
        chosen = run_with_domain if takes_domain else run
    # A bound method is sent to another process by its name.
    chosen.__name__, chosen.__qualname__, chosen.__module__ = "run", f"{what}.run", function.__module__
    return cast("Callable[..., Any]", chosen)
