"""What is set for single actions: time limit, what happens when they fail or their caller leaves, how many run at once.

Options come from the code (``@action_options``), and over it from ``action_server: actions:`` of endpoints.yml, where a
name may be a pattern. The operator has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from action_server.idempotency.rules import Idempotent, OnCrash, rule_from, rule_of
from action_server.runtime.disconnects import OnDisconnect

T = TypeVar("T")
_MARK = "__action_options__"

# Rasa's assistants have no response of this name unless somebody writes one; the engine then says nothing.
DEFAULT_RESPONSE = "utter_action_failed"
DEFAULT_SLOT = "action_failed"


class FailurePolicy(BaseModel):
    """What the engine gets when an action fails.

    - ``error``: a 500 with an error id. In CALM the flow is cancelled, a classic assistant says nothing.
    - ``say``: a 200 with what the action had said so far and ``response``.
    - ``slot``: a 200 with what it had said so far, and ``slots`` set, so that a flow can branch.
    - ``reject``: a 400, with which a classic engine may predict another action.

    Written ``error``, ``reject``, ``say``, ``{say: utter_sorry}``, ``slot``, ``{slot: lookup_failed}`` or
    ``{slot: {lookup_failed: true}}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    then: Literal["error", "say", "slot", "reject"]
    response: str = DEFAULT_RESPONSE
    slots: dict[str, Any] = {DEFAULT_SLOT: True}

    @model_validator(mode="before")
    @classmethod
    def _from_short_forms(cls, value: object) -> object:
        if isinstance(value, str):
            return {"then": value}
        if isinstance(value, Mapping) and set(value) == {"say"}:
            return {"then": "say", "response": value["say"]}
        if isinstance(value, Mapping) and set(value) == {"slot"}:
            slot = value["slot"]
            return {"then": "slot", "slots": {slot: True} if isinstance(slot, str) else slot}
        return value


class ActionOptions(BaseModel):
    """The options of one action; what is None is not set here."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, arbitrary_types_allowed=True
    )

    timeout: float | None = Field(default=None, gt=0, le=86_400)
    on_error: FailurePolicy | None = None
    on_timeout: FailurePolicy | None = None
    # By the exception's class name, with or without its module: `ConnectionError`, `requests.exceptions.ReadTimeout`.
    errors: dict[str, FailurePolicy] = {}
    max_calls: int | None = Field(default=None, ge=1)
    # Whether what has begun finishes when its caller leaves.
    on_disconnect: OnDisconnect | None = None
    # The rule by which repeats get the first answer; False switches off what the code says.
    idempotent: Idempotent | Literal[False] | None = None

    # What a repeat gets after a crash, whatever the rule, unless the rule itself says so. `rerun` is for actions whose
    # work is safe to repeat by a key of its own.
    on_crash: OnCrash | None = None

    @field_validator("idempotent", mode="before")
    @classmethod
    def _is_a_rule(cls, value: object) -> object:
        return value if value is None or isinstance(value, Idempotent) else rule_from(value)

    def over(self, base: ActionOptions) -> ActionOptions:
        """Return these options, and those of ``base`` where nothing is set here."""
        mine = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        if "errors" in mine:
            mine["errors"] = {**base.errors, **mine["errors"]}
        return base.model_copy(update=mine) if mine else base

    def policy_for(self, exc: BaseException) -> FailurePolicy:
        """Return what happens when the action raises ``exc``: the policy of the nearest class that has one."""
        for cls in type(exc).__mro__:
            for name in (f"{cls.__module__}.{cls.__qualname__}", cls.__qualname__):
                if name in self.errors:
                    return self.errors[name]
        return self.on_error or _ERROR


_ERROR = FailurePolicy(then="error")


def action_options(**options: Any) -> Callable[[T], T]:
    """Set options for an action class or function, where its author knows best::

        @action_options(timeout=8, on_error={"slot": "lookup_failed"})
        class ActionLookUp(Action): ...

    Under plain rasa-sdk it changes nothing. Raises pydantic's ``ValidationError`` for an option that does not exist.
    """
    checked = ActionOptions(**options)

    def mark(target: T) -> T:
        setattr(target, _MARK, checked)
        return target

    return mark


class OptionsTable:
    """The options of every action: defaults, over them the code's, over them the matching patterns in their order."""

    def __init__(self, defaults: ActionOptions, patterns: Mapping[str, ActionOptions]) -> None:
        self._defaults = defaults
        # A plain name says more than a pattern, wherever it stands.
        self._patterns = sorted(patterns.items(), key=lambda item: not _is_pattern(item[0]))
        self._found: dict[str, ActionOptions] = {}

    def of(self, action: str, run: Callable[..., Any]) -> ActionOptions:
        """Return the options of an action; ``run`` is the function that is called for it."""
        found = self._found.get(action)
        if found is None:
            found = self._defaults
            for options in (
                _options_in_code(run),
                *(o for pattern, o in self._patterns if fnmatchcase(action, pattern)),
            ):
                found = options.over(found)
            self._found[action] = found = _with_rule_complete(found)
        return found


def _with_rule_complete(options: ActionOptions) -> ActionOptions:
    """Return the options with what the action says of crashes in its rule, if the rule says nothing."""
    rule = options.idempotent
    if not rule or rule.on_crash is not None or options.on_crash is None:
        return options
    return options.model_copy(update={"idempotent": replace(rule, on_crash=options.on_crash)})


_NO_OPTIONS = ActionOptions()


def _options_in_code(run: Callable[..., Any]) -> ActionOptions:
    owner = getattr(run, "__self__", None)
    holders = (type(owner), owner, run) if owner is not None else (run,)
    marks = (getattr(holder, _MARK, None) for holder in holders)
    declared = next((mark for mark in marks if isinstance(mark, ActionOptions)), _NO_OPTIONS)
    rule = rule_of(*holders)
    return declared if rule is None else ActionOptions(idempotent=rule).over(declared)


def _is_pattern(name: str) -> bool:
    return any(character in name for character in "*?[")
