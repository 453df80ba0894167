"""Which name runs which action, and where its code is."""

from __future__ import annotations

import dis
import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType, MethodType
from typing import Any

from rasa_sdk import Action

from action_server.errors import ActionNotFoundError, DuplicateActionError, RegistrationError
from action_server.runtime.threads import is_async
from action_server.source import one_line, place_of

logger = logging.getLogger(__name__)

RunFunction = Callable[..., Any]


@dataclass(frozen=True)
class RegisteredAction:
    """One action: its name, what to call, and the facts about it that are found out once.

    ``source`` is the qualified name of its class or function, ``place`` is ``file:line`` of it; ``is_async`` tells
    whether it runs on the event loop; ``reads_domain`` is false only if its code cannot look at its domain.
    """

    name: str
    run: RunFunction
    source: str
    place: str
    is_async: bool
    reads_domain: bool


class CodeFacts:
    """What the code of actions tells, found out once for all registries that the same actions are registered in."""

    def __init__(self) -> None:
        self._places: dict[object, str] = {}
        self._runs: dict[object, tuple[bool, bool]] = {}

    def place_of(self, cls: type) -> str:
        """Return where a class stands."""
        if cls not in self._places:
            self._places[cls] = place_of(cls)
        return self._places[cls]

    def of_run(self, run: RunFunction, source: str, place: str) -> tuple[bool, bool]:
        """Return whether a function is async, and whether it reads its domain.

        Raises:
            RegistrationError: it takes other arguments than an action.
        """
        # Methods only: a hook may make another function each time, which would be kept for nothing.
        method = run.__func__ if isinstance(run, MethodType) and isinstance(run.__func__, FunctionType) else None
        found = self._runs.get(method) if method is not None else None
        if found is None:
            _check_arguments(run, source, place)
            found = is_async(run), reads_domain(run)
            if method is not None:
                self._runs[method] = found
        return found


class Registry:
    """The actions of one worker, by name. With ``strict``, a name can be taken only once.

    ``facts`` are those of an earlier registry of the same actions.
    """

    def __init__(self, *, strict: bool = False, facts: CodeFacts | None = None) -> None:
        self._actions: dict[str, RegisteredAction] = {}
        self._strict = strict
        self._facts = facts or CodeFacts()

    def __iter__(self) -> Iterator[RegisteredAction]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def get(self, name: str) -> RegisteredAction:
        """Return the action of this name. Raises :class:`ActionNotFoundError` when nobody registered it."""
        try:
            return self._actions[name]
        except KeyError:
            raise ActionNotFoundError(name) from None

    def register_action(self, action: Action | type[Action]) -> None:
        """Register an action class, of which an instance is made, or an instance.

        Raises:
            RegistrationError: it is no action, cannot be made without arguments, or has a bad ``name()`` or ``run``.
        """
        cls = action if isinstance(action, type) else type(action)
        source, place = f"{cls.__module__}.{cls.__qualname__}", self._facts.place_of(cls)
        if not issubclass(cls, Action):
            raise RegistrationError(source, place, "is not an Action; use register_function for a plain function")
        instance = _instance(cls, source, place) if isinstance(action, type) else action
        self._register(_name_of(instance, source, place), instance.run, source, place)

    def register_function(self, action_name: str, function: RunFunction) -> None:
        """Register a function that takes dispatcher, tracker and domain.

        Raises:
            RegistrationError: it takes other arguments.
        """
        source = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
        self._register(action_name, function, source, place_of(function))

    def _register(self, name: str, run: RunFunction, source: str, place: str) -> None:
        runs_async, may_read_domain = self._facts.of_run(run, source, place)
        taken = self._actions.get(name)
        if taken is not None and taken.place != place:
            if self._strict:
                raise DuplicateActionError(name, place, taken.place)
            facts = {"action": name, "used": place, "replaced": taken.place}
            logger.warning("action.registered_twice", extra=facts)
        self._actions[name] = RegisteredAction(name, run, source, place, runs_async, may_read_domain)


def reads_domain(run: RunFunction) -> bool:
    """Tell whether ``run`` could look at its third argument, the domain.

    Decided from the bytecode: a parameter that is never loaded is never looked at. Anything that hides the answer
    (``*args``, closures over it, ``locals()``, a callable without bytecode) counts as reading.
    """
    function = getattr(run, "__func__", run)
    code = getattr(function, "__code__", None)
    index = 3 if function is not run else 2
    if code is None or code.co_argcount <= index:
        return True
    name = code.co_varnames[index]
    if name in code.co_cellvars or {"locals", "vars", "eval", "exec"} & set(code.co_names):
        return True
    return _loads_anywhere(code, name)


@lru_cache(maxsize=1024)
def _loads_anywhere(code: CodeType, name: str) -> bool:
    # Kept: whoever plays many conversations registers the same actions for each of them.
    return any(_loads(instruction, name) for instruction in dis.get_instructions(code))


def _loads(instruction: dis.Instruction, name: str) -> bool:
    # From 3.13 one instruction may load two variables; its argval is then a tuple.
    names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    return "LOAD" in instruction.opname and name in names


def _instance(cls: type[Action], source: str, place: str) -> Action:
    try:
        return cls()
    except Exception as exc:
        raise RegistrationError(source, place, f"cannot be made: {one_line(exc)}") from exc


def _name_of(action: Action, source: str, place: str) -> str:
    try:
        name = action.name()
    except Exception as exc:
        raise RegistrationError(source, place, f"has a name() that raises {one_line(exc)}") from exc
    if not isinstance(name, str) or not name.strip():
        found = f"a {type(name).__name__}" if not isinstance(name, str) else "an empty string"
        raise RegistrationError(source, place, f"has a name() that returns {found}; it must be a non-empty string")
    return name


def _check_arguments(run: RunFunction, source: str, place: str) -> None:
    try:
        signature = inspect.signature(run)
    except (TypeError, ValueError):
        # Some callables written in C have no signature to look at.
        return
    try:
        signature.bind("dispatcher", "tracker", "domain")
    except TypeError:
        problem = f"takes {signature}; an action takes three arguments: dispatcher, tracker, domain"
        raise RegistrationError(f"the run of {source}", place, problem) from None
