"""``@job``: a function of the actions package that can be run later. What its calls may hold is read from its types."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, get_type_hints, overload

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from action_server.errors import JobError, RegistrationError
from action_server.jobs.origin import ORIGIN, stored_arguments
from action_server.jobs.rules import Rules, check_seconds
from action_server.jobs.values import MOST_BYTES, decode, encode
from action_server.source import place_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

P = ParamSpec("P")
R = TypeVar("R")

_MOST_OF_A_NAME = 200
# With which the names of the server's own jobs begin.
_OURS = "action_server."


@dataclass(frozen=True)
class Wish:
    """How a job is asked for: what :meth:`Job.having` was told."""

    job: Job[..., Any]
    key: str | None = None
    delay: float = 0.0
    deadline: float | None = None
    connection: AsyncConnection | None = None
    ordering_key: str | None = None


# What is said when a job is given up: words, or a function that makes them of the job's arguments, by their names.
LastWords = str | Callable[..., str | Sequence[str]]


class Job(Generic[P, R]):
    """A function that can be run later; called, it runs at once, as if it had not been marked."""

    def __init__(
        self, function: Callable[P, R], name: str, rules: Rules, on_giving_up: LastWords | None = None
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.rules = rules
        self._on_giving_up = on_giving_up
        self._types: _Types | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now."""
        return self.function(*args, **kwargs)

    def having(
        self,
        *,
        key: str | None = None,
        delay: float = 0.0,
        deadline: float | None = None,
        connection: AsyncConnection | None = None,
        ordering_key: str | None = None,
    ) -> Wish:
        """Return the job with wishes of one call: ``await later(send.having(key=reference), reference=reference)``.

        ``key``: of calls with the same one, only the first makes a job, for as long as its row is kept. ``delay``: in
        so many seconds, not before. ``deadline``: instead of the rules'. ``connection``: write the row in the
        transaction of this connection, which has to be one to the server's ``database``: with it the job is there, or
        neither is. ``ordering_key``: jobs of this name with the same one run one after the other, in the order in which
        they were asked for; until one is done, parked or cancelled, those behind it wait, through its retries as well.
        """
        check_seconds(f"job {self.name}: its `delay`", delay, may_be_zero=True)
        if deadline is not None:
            check_seconds(f"job {self.name}: its `deadline`", deadline)
        return Wish(self, key, delay, deadline, connection, ordering_key)

    def prepare(self) -> None:
        """Read the types. Raises :class:`RegistrationError` if arguments or result cannot be JSON."""
        if self._types is None:
            self._types = _Types.of(self)

    def encode_arguments(self, arguments: Mapping[str, object]) -> str:
        """Return the arguments of a call as JSON text. Raises :class:`JobError`, which repeats no value."""
        types = self.types
        try:
            bound = types.signature.bind(**arguments)
        except TypeError as exc:
            raise JobError(f"job {self.name}: {exc}") from None
        parts = (
            f"{json.dumps(name)}: {encode(types.arguments[name], value, f'job {self.name}: argument {name!r}')}"
            for name, value in bound.arguments.items()
        )
        text = "{" + ", ".join(parts) + "}"
        if len(text) > MOST_BYTES:
            raise JobError(f"job {self.name}: all arguments together have over {MOST_BYTES} bytes as JSON")
        return text

    def decode_arguments(self, text: str) -> dict[str, Any]:
        """Return the arguments of a stored call. Raises :class:`JobError` if they fit the function no longer."""
        types = self.types
        stored = stored_arguments(text)
        if not stored and text.strip() != "{}":
            raise JobError(f"job {self.name}: what it was given is no JSON object any more")
        stored.pop(ORIGIN, None)
        try:
            types.signature.bind(**stored)
        except TypeError as exc:
            raise JobError(f"job {self.name}: {exc}") from None
        return {
            name: decode(types.arguments[name], json.dumps(value), f"job {self.name}: argument {name!r}")
            for name, value in stored.items()
        }

    def last_words(self, text: str) -> str | Sequence[str]:
        """Return what is to be said now that a stored call is given up, nothing by default.

        Raises what the author's function raises, and :class:`JobError` as :meth:`decode_arguments` does.
        """
        if not callable(self._on_giving_up):
            return self._on_giving_up or ()
        taken = inspect.signature(self._on_giving_up).parameters
        arguments = self.decode_arguments(text)
        return self._on_giving_up(**{name: value for name, value in arguments.items() if name in taken})

    def encode_result(self, value: object) -> str:
        """Return a result as JSON text. Raises :class:`JobError`, which does not repeat it."""
        return encode(self.types.result, value, f"job {self.name}: the result")

    @property
    def types(self) -> _Types:
        """The types of arguments and result."""
        self.prepare()
        assert self._types is not None  # noqa: S101 - for mypy
        return self._types


@dataclass(frozen=True)
class _Types:
    signature: inspect.Signature
    arguments: Mapping[str, TypeAdapter[Any]]
    result: TypeAdapter[Any]

    @classmethod
    def of(cls, job: Job[..., Any]) -> _Types:
        place = place_of(job.function)
        signature = inspect.signature(job.function)
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values():
            if parameter.kind not in by_name:
                raise RegistrationError(
                    f"job {job.name!r}", place, f"takes {parameter}; its arguments are stored by their names"
                )
        try:
            hints = get_type_hints(job.function, include_extras=True)
            arguments = {name: TypeAdapter[Any](hints.get(name, Any)) for name in signature.parameters}
            result = TypeAdapter[Any](hints.get("return", Any))
        except (NameError, TypeError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as exc:
            problem = str(exc).partition("\n")[0]
            raise RegistrationError(f"job {job.name!r}", place, f"has a type that cannot be JSON: {problem}") from None
        return cls(signature, arguments, result)


@overload
def job(function: Callable[P, R], /) -> Job[P, R]: ...


@overload
def job(
    *,
    name: str | None = None,
    retries: int = 3,
    backoff: float = 1.0,
    longest_backoff: float = 300.0,
    timeout: float | None = 300.0,
    deadline: float = 86_400.0,
    every: float | None = None,
    at_once: int | None = None,
    forgets: bool = False,
    on_giving_up: LastWords | None = None,
) -> Callable[[Callable[P, R]], Job[P, R]]: ...


def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    on_giving_up: LastWords | None = None,
    **rules: Any,
) -> Any:
    """Mark a function, ``def`` or ``async def``, as one that :func:`later` can run.

    docs/howto/answer-later.md has the options; how often and for how long it is tried are those of :class:`Rules`.
    ``name`` is what rows call it, by default the function's own. A worker leaves jobs alone whose name it does not
    know. The function may run more than once (a process may be killed before it wrote that it was done), so what it
    does has to bear a repeat. ``on_giving_up`` is said in the conversation when the job is parked: a text, or a quick
    function that returns one or several and takes what it needs of the job's arguments, by their names.
    """
    if function is not None:
        return _make(function, name, Rules(), None)
    return functools.partial(_make, name=name, rules=Rules.read(rules), on_giving_up=on_giving_up)


def _make(function: Callable[P, R], name: str | None, rules: Rules, on_giving_up: LastWords | None) -> Job[P, R]:
    if not callable(function):
        raise JobError(f"write @job, or @job(name='a_name'): @job({function!r}) marks no function")
    plain, place = inspect.unwrap(function), place_of(function)
    called = getattr(function, "__name__", "") if name is None else name
    if not isinstance(called, str) or not called.strip() or not called.isprintable() or len(called) > _MOST_OF_A_NAME:
        raise RegistrationError("job", place, f"needs a name: a text of up to {_MOST_OF_A_NAME} characters on one line")
    what = f"job {called!r}"
    if called.startswith(_OURS):
        raise RegistrationError(what, place, f"needs another name: those that begin with {_OURS!r} are the server's")
    if inspect.isclass(plain) or isinstance(function, Job):
        raise RegistrationError(
            what, place, "is a class, and no function" if inspect.isclass(plain) else "has two @job"
        )
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise RegistrationError(what, place, "yields; a job returns its result")
    _check_last_words(function, called, on_giving_up)
    needed = [one.name for one in inspect.signature(plain).parameters.values() if one.default is one.empty]
    if rules.every is not None and needed:
        raise RegistrationError(what, place, f"is periodic, and nobody could give it its argument {needed[0]!r}")
    return Job(function, called, rules, on_giving_up)


def _check_last_words(function: Callable[..., Any], name: str, on_giving_up: LastWords | None) -> None:
    if on_giving_up is None or isinstance(on_giving_up, str):
        return
    if not callable(on_giving_up):
        problem = f"what it says on giving up is {on_giving_up!r}: neither a text nor a function that returns one"
        raise RegistrationError(f"job {name!r}", place_of(function), problem)
    known = inspect.signature(function).parameters
    unknown = [one for one in inspect.signature(on_giving_up).parameters if one not in known]
    if unknown or inspect.iscoroutinefunction(on_giving_up):
        problem = f"takes {unknown[0]}, which the job does not" if unknown else "is a coroutine, and is not awaited"
        raise RegistrationError(f"job {name!r}", place_of(on_giving_up), f"what it says on giving up {problem}")
