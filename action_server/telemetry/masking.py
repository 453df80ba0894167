"""Masks the values of personal slots in what authors log: the ``privacy: rules:`` that Rasa Pro has in endpoints.yml.

The rules: https://rasa.com/docs/reference/config/pii-management/configuring-pii-management. The server's own lines hold
no slots, so only an action's lines, its exceptions' texts and what libraries log for it are looked at.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.nearest import did_you_mean, nearest
from action_server.protocol.calls import Call
from action_server.protocol.jsonable import jsonable

# Shorter ones are masked as whole words only: a slot with "m" would otherwise take every m out of the log.
_SHORT = 3
# From here on, writing systems put no spaces between words (Chinese, Japanese, Korean): a name has two characters.
_FIRST_WITHOUT_WORDS = "\u2e80"
# By these a line is found; the server sets them, and none is a slot's.
_IDENTIFIERS = frozenset({"action", "sender_id", "request_id", "error_id", "trace_id"})
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOT_LOGGED = "a log line was left out: it could not be masked"


@dataclass(frozen=True, order=True)
class Rule:
    """How the values of one slot are hidden.

    ``redact`` puts ``redaction_char`` in the place of each character, but for the first ``keep_left`` and the last
    ``keep_right``; ``mask`` puts the slot's name in the place of the value: ``[PHONE_NUMBER]``.
    """

    slot: str
    type: Literal["redact", "mask"] = "redact"
    redaction_char: str = "*"
    keep_left: int = 0
    keep_right: int = 0

    @property
    def kept(self) -> int:
        """How many characters stay readable."""
        return self.keep_left + self.keep_right if self.type == "redact" else 0

    def hide(self, value: str) -> str:
        """Return what stands for a value. One that would be kept as a whole is hidden as a whole."""
        if self.type == "mask":
            return f"[{self.slot.upper()}]"
        left, right = (self.keep_left, self.keep_right) if self.kept < len(value) else (0, 0)
        hidden = self.redaction_char * (len(value) - left - right)
        return value[:left] + hidden + value[len(value) - right :]


def read_rules(block: Block) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return the rules of ``privacy:``, and a line for each key in them that nobody here knows.

    Raises:
        SettingsError: a rule is wrong; names the file and the key. Ignored, it would leave a value readable.
    """
    content = block.content()
    if content is None:
        return (), ()
    if not isinstance(content, dict):
        raise SettingsError(block.where, "must hold `rules:`, a list")
    rules = content.get("rules")
    if not isinstance(rules, (list, type(None))):
        raise SettingsError(f"{block.where}.rules", "must be a list of rules, each with `slot` and `anonymization`")
    # Rasa has other keys there.
    misspelt = [str(key) for key in content if key != "rules" and nearest(str(key), ["rules"])]
    warnings = [f"{block.where}.{key} is not known here{did_you_mean(key, ['rules'])}" for key in misspelt]
    found = [_rule(rule, f"{block.where}.rules[{index}]", warnings) for index, rule in enumerate(rules or ())]
    return tuple(found), tuple(warnings)


class _Anonymization(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    type: Literal["redact", "mask"] = "redact"
    redaction_char: str = Field(default="*", min_length=1, max_length=1)
    keep_left: int = Field(default=0, ge=0)
    keep_right: int = Field(default=0, ge=0)


def _rule(given: object, where: str, warnings: list[str]) -> Rule:
    slot = given.get("slot") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(slot, str) or not slot:
        raise SettingsError(f"{where}.slot", "must be the name of a slot")
    place = f"{where}.anonymization"
    how = given.get("anonymization") or {}
    known = _Anonymization.model_fields
    if not isinstance(how, dict):
        raise SettingsError(place, f"must hold {', '.join(known)}")
    warnings += [f"{where}.{key} is not known here" for key in given if key not in ("slot", "anonymization")]
    warnings += [f"{place}.{key} is not known here" for key in how if key not in known]
    try:
        checked = _Anonymization.model_validate({str(key): value for key, value in how.items() if value is not None})
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SettingsError(f"{place}.{first['loc'][0]}", first["msg"]) from None
    return Rule(slot, **checked.model_dump())


class Privacy:
    """The rules of one server."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: dict[str, Rule] = {}
        for rule in rules:
            known = self._rules.get(rule.slot)
            # Of two rules for one slot the one that hides more.
            self._rules[rule.slot] = rule if known is None or rule.kept < known.kept else known

    @property
    def has_rules(self) -> bool:
        """Whether anything is masked."""
        return bool(self._rules)

    def values_of(self, slots: Mapping[str, Any], events: Sequence[Any] = ()) -> Masker | None:
        """Return what masks the values of one call; None if there are no rules.

        ``events`` are the tracker's: what masked slots held before, and the candidates that are to be validated, which
        are no slot's value yet. Both are looked at when something is logged, not before.
        """
        return Masker(self._rules, slots, events) if self._rules else None

    def masker_of(self, call: Call) -> Masker | None:
        """Return what masks the values of a call, as :meth:`values_of`; decodes nothing before it is used."""
        return _OfCall(self._rules, call) if self._rules else None


class Masker:
    """Hides the values of masked slots in texts. Made for one call; may be used by its threads."""

    def __init__(self, rules: Mapping[str, Rule], slots: Mapping[str, Any], events: Sequence[Any] = ()) -> None:
        self._rules = rules
        self._slots = slots
        self._events = events
        self._lock = threading.Lock()
        self._collected = False
        # By the text that is looked for: the value it stands for, and its rule.
        self._forms: dict[str, tuple[str, Rule]] = {}

    def also(self, slot: str, value: object) -> None:
        """Hide a value as well that was set during the call; does nothing for a slot without a rule."""
        self._add([(slot, value)])

    def apply(self, text: str) -> str:
        """Return ``text`` with every value hidden, longer ones first."""
        found = sorted(hit for form, hides in self._all_forms().items() for hit in _hits(text, form, *hides))
        if not found:
            return text
        pieces: list[str] = []
        at = 0
        for start, end, stand_in in _resolve_overlaps(found):
            pieces += (text[at:start], stand_in)
            at = end
        return "".join([*pieces, text[at:]])

    def is_in(self, text: str) -> bool:
        """Tell whether a value may be in ``text``; then :meth:`apply` says whether one is."""
        return any(form in text for form in self._all_forms())

    def _held(self) -> tuple[Mapping[str, Any], Iterable[Any]]:
        return self._slots, self._events

    def _all_forms(self) -> dict[str, tuple[str, Rule]]:
        if not self._collected:
            slots, events = self._held()
            held = [(slot, slots.get(slot)) for slot in self._rules]
            events = (e for e in events if isinstance(e, dict) and e.get("event") == "slot")
            self._add([*held, *((str(e.get("name")), e.get("value")) for e in events)])
            self._collected = True
        return self._forms

    def _add(self, values: Iterable[tuple[str, object]]) -> None:
        with self._lock:
            # A new mapping: other threads may be looking at the old one.
            forms = dict(self._forms)
            for slot, value in values:
                rule = self._rules.get(slot)
                if rule is not None:
                    _collect(value, rule, forms)
            self._forms = forms


class _OfCall(Masker):
    """Reads a call's slots and events when something is logged that may hold them."""

    def __init__(self, rules: Mapping[str, Rule], call: Call) -> None:
        super().__init__(rules, {})
        self._call = call

    def _held(self) -> tuple[Mapping[str, Any], Iterable[Any]]:
        return self._call.part("slots") or {}, self._call.part("events") or ()


def _collect(value: object, rule: Rule, forms: dict[str, tuple[str, Rule]]) -> None:
    """Add all texts by which a value, or a value in it, can stand in a log."""
    # No recursion: what engines send may be nested as deep as the server allows.
    todo = [value]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            todo += found.values()
        elif isinstance(found, (list, tuple, set)):
            todo += found
        # True and None are nobody's, and words of many a line.
        elif isinstance(found, (str, int, float)) and not isinstance(found, bool):
            for text, form in _forms_of(found):
                known = forms.get(form)
                if known is None or rule.kept < known[1].kept:
                    forms[form] = (text, rule)


def _forms_of(value: str | int | float) -> Iterator[tuple[str, str]]:
    """Give pairs of a value's text and a form of it: as it is, in a repr, in JSON, in a URL."""
    texts = [str(value)]
    if isinstance(value, float) and value.is_integer():
        # gRPC makes a float of every number.
        texts.append(str(int(value)))
    for text in texts:
        whole = text.strip()
        if not whole:
            continue
        encoded = whole.encode("utf-8", "surrogatepass")
        escaped = [repr(whole)[1:-1], json.dumps(whole)[1:-1], json.dumps(whole, ensure_ascii=False)[1:-1]]
        # JSON that is shown by its repr, too.
        escaped += [repr(form)[1:-1] for form in escaped] + [repr(encoded)[2:-1]]
        for form in {text, whole, *escaped, quote(encoded), quote(encoded, ""), quote_plus(encoded)}:
            yield whole, form


# Start, minus its end (so that of those with one start the longest comes first), and what it hides by which rule. Of an
# occurrence that overlaps another one of its own, nothing may be kept: it hides "".
_Hit = tuple[int, int, str, Rule]


def _hits(text: str, form: str, value: str, rule: Rule) -> Iterator[_Hit]:
    """Find where ``form`` stands. Takes time in proportion to the text, whatever the form; patterns would not."""
    if len(form) < _SHORT and all(character < _FIRST_WITHOUT_WORDS for character in form):
        for match in re.finditer(rf"(?<!\w){re.escape(form)}(?!\w)", text):
            yield match.start(), -match.end(), value, rule
        return
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        again = text.find(form, start + 1, end + len(form) - 1) if rule.kept else -1
        if again >= 0:
            end = again + len(form)
        yield start, -end, value if again < 0 else "", rule
        start = text.find(form, end)


def _resolve_overlaps(hits: list[_Hit]) -> Iterator[tuple[int, int, str]]:
    """Give the places to be replaced and what stands there; of values that overlap nothing is kept."""
    index = 0
    while index < len(hits):
        start, minus_end, value, rule = hits[index]
        end, alone = -minus_end, bool(value)
        index += 1
        while index < len(hits) and hits[index][0] < end:
            _, other_end, other, others_rule = hits[index]
            alone = alone and -other_end <= end and (other, others_rule) == (value, rule)
            end = max(end, -other_end)
            index += 1
        yield (
            start,
            end,
            rule.hide(value) if alone else replace(rule, keep_left=0, keep_right=0).hide(" " * (end - start)),
        )


masking: ContextVar[Masker | None] = ContextVar("action_server_masking", default=None)


class hiding:  # noqa: N801 - used as a function, and cheaper than one that yields
    """Mask with ``masker`` what is logged within the block, by its threads and tasks, too."""

    __slots__ = ("_masker", "_token")

    def __init__(self, masker: Masker | None) -> None:
        self._masker = masker

    def __enter__(self) -> None:
        if self._masker is not None:
            self._token = masking.set(self._masker)

    def __exit__(self, *_: object) -> None:
        if self._masker is not None:
            masking.reset(self._token)


def mask_record(record: logging.LogRecord) -> bool:
    """Hide the running call's values in a log record; a filter for handlers. Never raises; lets none go unmasked.

    Left alone are the identifiers by which lines are found, the conversation's among them.
    """
    masker = masking.get()
    if masker is not None:
        try:
            _mask(record, masker)
        except Exception:  # noqa: BLE001 - a formatter, a __str__ or a field of anybody's
            _empty(record)
    return True


def _mask(record: logging.LogRecord, masker: Masker) -> None:
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        record.exc_text = _traceback_of(record.exc_info)
    if record.exc_text:
        masked = masker.apply(record.exc_text)
        if masked != record.exc_text:
            # Handlers that format the exception once more would find it unmasked.
            record.exc_text, record.exc_info = masked, None
    if record.stack_info:
        record.stack_info = masker.apply(record.stack_info)
    if record.name.startswith("action_server."):
        # Ours: constant events and counted facts.
        return
    text = _message_of(record)
    masked = masker.apply(text)
    if masked != text or record.args:
        record.msg, record.args = masked, ()
    for name in [name for name in vars(record) if name not in _STANDARD_FIELDS and name not in _IDENTIFIERS]:
        setattr(record, name, _mask_field(getattr(record, name), masker))


def _traceback_of(exc_info: Any) -> str:
    return logging.Formatter().formatException(exc_info)


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever formatting somebody's object raises
        # logging would print the arguments to standard error as they are.
        return f"{record.msg} {record.args}"


def _mask_field(value: object, masker: Masker) -> object:
    """Return a field as it was, or what stands for it when a value is in it, as text or as a formatter may write it."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    masked = masker.apply(text)
    if isinstance(value, str):
        return masked
    try:
        plain = jsonable(value)
    except ValueError:
        plain = text
    hidden = mask_plain(plain, masker)
    if hidden != plain:
        return hidden
    return value if masked == text else masked


def mask_plain(plain: object, masker: Masker) -> object:
    """Return a JSON value with every value hidden that the masker knows, in keys as well."""
    if isinstance(plain, dict):
        return {masker.apply(key): mask_plain(item, masker) for key, item in plain.items()}
    if isinstance(plain, list):
        return [mask_plain(item, masker) for item in plain]
    if plain is None or isinstance(plain, bool):
        return plain
    text = str(plain)
    masked = masker.apply(text)
    return plain if masked == text else masked


def _empty(record: logging.LogRecord) -> None:
    for name in [name for name in vars(record) if name not in _STANDARD_FIELDS and name not in _IDENTIFIERS]:
        delattr(record, name)
    record.msg, record.args = _NOT_LOGGED, ()
    record.exc_info = record.exc_text = record.stack_info = None
