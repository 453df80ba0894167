"""Regular expressions of conditions: searched for with a time limit, and judged before anybody searches.

What engines do here was run with pypred 0.4.0.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import regex  # type: ignore[import-untyped]

# The library's own parser, by name: it moved in 3.11, and what a type checker knows of it differs from run to run.
_CONSTANTS, _PARSER = ("re._constants", "re._parser") if sys.version_info >= (3, 11) else ("sre_constants", "sre_parse")
_c: Any = import_module(_CONSTANTS)
_parser: Any = import_module(_PARSER)

# Of processor time. What people write needs a thousandth of it; engines have no limit, and hang.
SEARCH_SECONDS = 1.0
_REPEATS = (_c.MAX_REPEAT, _c.MIN_REPEAT)
# Repeated so often, an ambiguous part takes as long as one without end.
_MANY = 16
_CATEGORIES = {
    _c.CATEGORY_DIGIT: r"\d",
    _c.CATEGORY_NOT_DIGIT: r"\D",
    _c.CATEGORY_SPACE: r"\s",
    _c.CATEGORY_NOT_SPACE: r"\S",
    _c.CATEGORY_WORD: r"\w",
    _c.CATEGORY_NOT_WORD: r"\W",
}
_EVERY = frozenset(range(128))


class SlowExpression(Exception):  # noqa: N818 - a signal: the condition is false then
    """A search took longer than it may."""

    def __init__(self) -> None:
        super().__init__(f"the regular expression takes longer than {SEARCH_SECONDS:g} s")


class LimitedPattern:
    """Searches as a compiled pattern of `re` does, but not for ever. Raises `SlowExpression`."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern: Any = regex.compile(pattern, regex.V0)
        except regex.error:
            # `re` has read it: a difference between the two, and no reason to take no notice of the condition.
            self._pattern = None
            self._plain = re.compile(pattern)
        self._slow_text: str | None = None

    def search(self, text: str) -> object:
        """Return a match, or None. A text that took too long is not searched once more."""
        if self._pattern is None:
            return self._plain.search(text)
        if text == self._slow_text:
            raise SlowExpression
        try:
            return self._pattern.search(text, timeout=SEARCH_SECONDS)
        except TimeoutError:
            self._slow_text = text
            raise SlowExpression from None


def can_take_for_ever(pattern: str) -> bool:
    r"""Tell an expression that needs twice the time for each further character of some texts, as `(\w+\s?)*$`.

    That is a repetition of something that one text fits in several ways. Expressions that cannot be read, and those
    that are merely slow, are not told.
    """
    try:
        return any(_is_ambiguous(body) for body in _repeated_bodies(_parser.parse(pattern)))
    except (re.error, RecursionError, OverflowError):
        return False


def _repeated_bodies(items: Any) -> Iterator[Any]:
    """Yield what is repeated often, from the outside to the inside."""
    for op, found in items:
        if op in _REPEATS and found[1] >= _MANY:
            yield found[2]
        for inner in _parts(op, found):
            yield from _repeated_bodies(inner)


def _parts(op: Any, found: Any) -> Sequence[Any]:
    if op in _REPEATS:
        return (found[2],)
    if op is _c.SUBPATTERN:
        return (found[3],)
    if op is _c.BRANCH:
        return tuple(found[1])
    return (found[1],) if op in (_c.ASSERT, _c.ASSERT_NOT) else ()


def _is_ambiguous(body: Any) -> bool:
    """Tell whether two rounds of a repetition can be one round as well, or one round goes in two ways."""
    items = _flatten(body)
    for position, (op, found) in enumerate(items):
        if op is _c.BRANCH and _have_common_text(found[1]):
            return True
        others = [item for number, item in enumerate(items) if number != position]
        if _has_several_lengths(op, found) and (others or (op in _REPEATS and found[1] > 1)):
            # Whatever else is in a round has to tell where the next one begins.
            own = _characters([(op, found)])
            if all(_can_be_empty([item]) or _characters([item]) & own for item in others):
                return True
        inner = found[1] if op is _c.BRANCH else ()
        if not others and any(_is_ambiguous(branch) for branch in inner):
            return True
    return False


def _has_several_lengths(op: Any, found: Any) -> bool:
    if op is _c.BRANCH:
        return any(_can_be_empty(branch) for branch in found[1])
    return op in _REPEATS and bool(found[0] != found[1])


def _flatten(items: Any) -> list[tuple[Any, Any]]:
    """Return a sequence without the groups that stand in it once."""
    found: list[tuple[Any, Any]] = []
    for op, value in items:
        found += _flatten(value[3]) if op is _c.SUBPATTERN else [(op, value)]
    return found


def _have_common_text(branches: Sequence[Any]) -> bool:
    if sum(_can_be_empty(branch) for branch in branches) > 1:
        return True
    rows = [[_characters([item]) for item in _flatten(branch)] for branch in branches]
    pairs = ((one, other) for n, one in enumerate(rows) for other in rows[n + 1 :])
    return any(all(a & b for a, b in zip(one, other, strict=False)) for one, other in pairs if one and other)


def _can_be_empty(items: Any) -> bool:
    return bool(_parser.SubPattern(_parser.State(), list(items)).getwidth()[0] == 0)


def _characters(items: Any) -> frozenset[int]:
    """Return the characters of ASCII that can stand in a text of this; every one where that is not known."""
    found: frozenset[int] = frozenset()
    for op, value in items:
        parts = _parts(op, value)
        if op in (_c.ASSERT, _c.ASSERT_NOT, _c.AT):
            continue
        found |= frozenset().union(*map(_characters, parts)) if parts else _of_one(op, value)
    return found


@lru_cache(maxsize=256)
def _of_category(category: Any) -> frozenset[int]:
    pattern = re.compile(_CATEGORIES[category])
    return frozenset(code for code in _EVERY if pattern.fullmatch(chr(code)))


def _of_one(op: Any, value: Any) -> frozenset[int]:
    if op is _c.LITERAL:
        return frozenset({value})
    if op is _c.NOT_LITERAL:
        return _EVERY - {value}
    if op is _c.RANGE:
        return frozenset(range(value[0], value[1] + 1)) & _EVERY
    if op is _c.CATEGORY:
        return _of_category(value)
    if op is _c.IN:
        is_negated = value[0][0] is _c.NEGATE
        listed = frozenset().union(*(_of_one(*item) for item in value if item[0] is not _c.NEGATE))
        return _EVERY - listed if is_negated else listed
    return _EVERY
