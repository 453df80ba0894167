"""Which actions run once: the mark of their author, the same rule from the settings, and the key that tells repeats.

::

    @idempotent                                     # the same place in the same turn: the first answer
    class ActionSendSms(Action): ...

    @idempotent(key=("appointment_type", "preferred_date"), within=timedelta(hours=1))
    class ActionBook(Action): ...                   # the same job within an hour: the first answer

The mark changes nothing else, so rasa-sdk runs a marked action as any other. Nothing here needs a database: the store
is ``store.py``, which a server imports only if one of its actions has a rule.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Literal, TypeVar, get_args, overload

from action_server.errors import RequestError, RuleError
from action_server.protocol.calls import Call
from action_server.protocol.jsonable import JsonObject

logger = logging.getLogger(__name__)

OnCrash = Literal["refuse", "rerun"]
Scope = Literal["conversation", "everyone"]
Marked = TypeVar("Marked", bound=Callable[..., Any])

# How long the answer of a turn is kept: longer than any proxy, queue or person repeats a request.
A_DAY = timedelta(days=1)
# How long if the request holds no time at all: the next one that looks the same is then most likely meant anew.
A_MINUTE = timedelta(minutes=1)

# The key under which the running action runs; empty where it may run again.
running_key: ContextVar[str] = ContextVar("action_server_once", default="")

_MARK = "__idempotent__"
# Part of every key. A change of what stands in a key changes this too.
_FORMAT = 1


@dataclass(frozen=True)
class Idempotent:
    """When a call counts as a repeat, and what happens to it.

    Without ``key``, a repeat is the same place in the same turn; with it, the same values of these slots ``within``
    that time, in the same conversation or, with ``scope="everyone"``, in any. ``on_crash`` says what a repeat gets when
    the process died in the middle of the first run: an error (``refuse``), or a second run (``rerun``); None is what
    the action says of itself (``@action_options(on_crash="rerun")``), else an error. A run that raised may be tried
    again, unless ``keep_failures``.
    """

    key: tuple[str, ...] = ()
    within: timedelta | None = None
    scope: Scope = "conversation"
    on_crash: OnCrash | None = None
    keep_failures: bool = False

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise RuleError(problem)


@overload
def idempotent(action: Marked, /) -> Marked: ...


@overload
def idempotent(
    *,
    key: str | Sequence[str] = (),
    within: timedelta | float | None = None,
    scope: Scope = "conversation",
    on_crash: OnCrash | None = None,
    keep_failures: bool = False,
) -> Callable[[Marked], Marked]: ...


def idempotent(action: object = None, /, **options: Any) -> Any:
    """Mark an action class, its ``run``, or a function: a repeated call gets the first answer (:class:`Idempotent`).

    ``within`` may be a number of seconds; one slot may be named without a tuple around it.

    Raises:
        RuleError: the rule makes no sense.
    """
    if action is None:
        rule = _rule(options)
        return lambda marked: _mark(marked, rule)
    if not callable(action) or options:
        raise RuleError("write @idempotent, or @idempotent(key=('a_slot', ...), within=timedelta(...))")
    return _mark(action, Idempotent())


def rule_of(*places: object) -> Idempotent | None:
    """Return the rule an action is marked with: the first one found on its class, its instance or its ``run``."""
    found = (getattr(place, _MARK, None) for place in places)
    return next((rule for rule in found if isinstance(rule, Idempotent)), None)


def rule_from(value: object) -> Idempotent | Literal[False]:
    """Read the rule of an action's settings; ``False`` switches off what the code says.

    ``turn`` and ``true`` are the place in the turn; a group holds ``key``, ``within`` (in seconds), ``scope``,
    ``on_crash`` and ``keep_failures``.

    Raises:
        RuleError: it is none of these; also a ``ValueError``, so that pydantic takes it for a validator's.
    """
    if value is False:
        return False
    if value is True or value == "turn":
        return Idempotent()
    if not isinstance(value, Mapping):
        raise RuleError("must be `turn`, `false` or a group with `key` and `within`")
    return _rule(value)


def key_of(rule: Idempotent, call: Call) -> str:
    """Return the key that a call shares with its repeats, and with no other call: 64 hexadecimal digits.

    By turn: the action, the conversation, the number of its events, the events from the last ``user`` event on, the
    stack (its ``frame_id`` and ``step_id``) and the active loop, all as they came. A request that is sent again is the
    same in all of these; whatever the engine does in between adds events.

    By key: the action, the slots' values and, unless the scope is everyone, the conversation. Values are compared as
    JSON; ``3`` and ``3.0`` are the same number, a slot that is not there is null.

    Raises:
        RequestError: the values are nested too deeply to be compared.
    """
    try:
        place = _job(rule, call) if rule.key else _place(call)
        return hashlib.sha256(_canonical([_FORMAT, call.action, place])).hexdigest()
    except RecursionError:
        raise RequestError("the tracker is nested too deeply", call.action) from None


def lifetime_of(rule: Idempotent, call: Call) -> timedelta:
    """Return for how long the answer of a call is the answer of its repeats."""
    within = rule.within or A_DAY
    if rule.key or any(_has_a_time(event) for event in _turn(call)):
        return within
    return min(within, A_MINUTE)


def _rule(options: Mapping[Any, object]) -> Idempotent:
    known = [field.name for field in fields(Idempotent)]
    unknown = [str(name) for name in options if name not in known]
    if unknown:
        raise RuleError(f"there is no `{unknown[0]}`; there are {', '.join(known)}")
    values: dict[str, Any] = dict(options)
    if "key" in values:
        key = values["key"]
        values["key"] = (key,) if isinstance(key, str) else tuple(key) if isinstance(key, Sequence) else key
        if not values["key"]:
            raise RuleError("`key` names no slot; without a key, write `turn` (@idempotent)")
    within = values.get("within")
    if isinstance(within, (int, float)) and not isinstance(within, bool) and math.isfinite(within):
        try:
            values["within"] = timedelta(seconds=within)
        except OverflowError:
            raise RuleError("`within` is longer than can be counted") from None
    return Idempotent(**values)


def _problem(rule: Idempotent) -> str | None:
    """Say what is wrong with a rule; its parts may be of any type, they come from a file."""
    key, within, scope, on_crash, keep_failures = (getattr(rule, field.name) for field in fields(rule))
    if not isinstance(key, tuple) or not all(isinstance(name, str) and name for name in key):
        return "`key` must be a list of slots' names"
    if len(set(key)) != len(key):
        return "`key` names a slot twice"
    if within is not None and not (isinstance(within, timedelta) and within > timedelta()):
        return "`within` must be a time above zero: a timedelta in code, seconds in a file"
    if key and within is None:
        return "`key` needs `within`: how long the same values are the same job"
    if scope not in get_args(Scope):
        return f"`scope` must be {' or '.join(get_args(Scope))}"
    if scope == "everyone" and not key:
        return "`scope: everyone` needs a `key`: a turn belongs to one conversation"
    if on_crash is not None and on_crash not in get_args(OnCrash):
        return f"`on_crash` must be {' or '.join(get_args(OnCrash))}"
    return None if isinstance(keep_failures, bool) else "`keep_failures` must be true or false"


def _mark(action: Marked, rule: Idempotent) -> Marked:
    try:
        setattr(action, _MARK, rule)
    except (AttributeError, TypeError):
        raise RuleError(f"a {type(action).__name__} cannot be marked; mark the class or function") from None
    return action


def _job(rule: Idempotent, call: Call) -> JsonObject:
    slots = call.part("slots") or {}
    for name in rule.key:
        if name not in slots:
            # Engines send every slot of the domain, so this is a slip of the pen in the rule, and a dangerous one:
            # with the slot that tells two jobs apart missing, the second one gets the first one's answer.
            logger.warning("idempotent.slot_missing", extra={"action": call.action, "slot": name})
    conversation = None if rule.scope == "everyone" else call.sender_id
    values = json.dumps({name: slots.get(name) for name in rule.key})
    return {"by": "key", "conversation": conversation, "slots": json.loads(values, parse_float=_number)}


def _place(call: Call) -> JsonObject:
    return {
        "by": "turn",
        "conversation": call.sender_id,
        "events": len(call.part("events") or ()),
        "turn": _turn(call),
        "stack": call.part("stack") or [],
        "loop": call.part("active_loop") or call.part("active_form") or {},
    }


def _turn(call: Call) -> list[JsonObject]:
    """Return the events from the last ``user`` event on; all of them before the first message."""
    events = call.part("events") or []
    starts = (index for index in range(len(events) - 1, -1, -1) if events[index]["event"] == "user")
    turn: list[JsonObject] = events[next(starts, 0) :]
    return turn


def _has_a_time(event: JsonObject) -> bool:
    return event.get("timestamp") is not None or bool(event.get("message_id"))


def _number(text: str) -> int | float:
    # gRPC carries every number as a float, and JSON does not tell 3 from 3.0 either.
    value = float(text)
    return int(value) if value.is_integer() else value


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
