"""Many events at once: looked at column by column, which is a third of the work of looking at each.

An action that returns thousands of events returns few kinds of them. What is usual of all of them is copied; anything
else is left to the way of a single event (:mod:`action_server.protocol.answers`), which says what is wrong with which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from action_server.protocol.events import NOT_FLAT, KnownEvents, fit_together, fits_types
from action_server.protocol.jsonable import JsonObject, is_plain_atom, plain_copy

# Below, columns are not worth making.
LEAST = 16
# Events with different fields: a loop over all of them for each.
_MOST_SHAPES = 6
_CONTAINERS = frozenset({dict, list})
_NUMBERS = frozenset({int, float})
_ATOMS = _NUMBERS | {str, bool, type(None)}


def leading_slots(items: Sequence[dict[Any, Any]]) -> list[JsonObject]:
    """Return copies of the events at the front that set slots to plain values, up to the first that is another.

    The rule is that of :func:`~action_server.protocol.events.usual_slot`, without a function for each.
    """
    slots: list[JsonObject] = []
    for item in items:
        if len(item) != 4 or item.get("event") != "slot" or item.get("timestamp", item) is not None:
            break
        name, value = item.get("name"), item.get("value", item)
        if type(name) is not str or not (type(value) is str or is_plain_atom(value)):
            break
        slots.append({"event": "slot", "timestamp": None, "name": name, "value": value})
    return slots


def usual_events(
    items: Sequence[dict[Any, Any]], known: KnownEvents, repaired: Callable[[str, str, str], None]
) -> list[JsonObject] | None:
    """Return copies of events of which every one is taken as it is; None if one has to be looked at alone.

    ``repaired`` is told, by event, field and type, of what rasa-sdk itself writes wrongly and is put right here.
    """
    # First the keys' own types: a key that is an enum is equal to the text that it is no more than like.
    if set(map(type, chain.from_iterable(items))) != {str}:
        return None
    shapes = set(map(tuple, items))
    if len(shapes) > _MOST_SHAPES:
        return None
    copies = list(map(dict.copy, items))
    for shape in shapes:
        group = copies if len(shapes) == 1 else [copy for copy in copies if tuple(copy) == shape]
        if not _are_usual(shape, group, known):
            return None
    _put_right(copies, repaired)
    return copies


def _are_usual(keys: tuple[str, ...], group: list[JsonObject], known: KnownEvents) -> bool:
    """Tell whether events with these keys are taken as they are; what lies in lists and objects is copied as well."""
    if "event" not in keys or set(map(type, _column("event", group))) != {str}:
        return False
    names = set(_column("event", group))
    if len(names) > _MOST_SHAPES or not all(name in known for name in names):
        return False
    types = {key: set(map(type, _column(key, group))) for key in keys}
    if not all(fits_types(name, types) for name in names - NOT_FLAT):
        return False
    for key, found in types.items():
        if not found <= _ATOMS | _CONTAINERS or not _are_plain_numbers(found, _column(key, group)):
            return False
        if found & _CONTAINERS and not _copy_deeply(key, group):
            return False
    # Last: only what is plain JSON can be looked into.
    return all(fit_together(name, [one for one in group if one["event"] == name]) for name in names & NOT_FLAT)


def _put_right(events: list[JsonObject], repaired: Callable[[str, str, str], None]) -> None:
    """Put an empty object where rasa-sdk's ``UserUttered`` writes null, as `repair` does it for one."""
    for event in events:
        if event["event"] == "user" and event["parse_data"] is None:
            repaired("user", "parse_data", "NoneType")
            del event["parse_data"]
            event["parse_data"] = {}


def _column(key: str, group: list[JsonObject]) -> Iterator[Any]:
    return map(itemgetter(key), group)


def _are_plain_numbers(types: set[type], column: Iterable[Any]) -> bool:
    return types.isdisjoint(_NUMBERS) or all(is_plain_atom(value) for value in column if type(value) in _NUMBERS)


def _copy_deeply(key: str, group: list[JsonObject]) -> bool:
    """Put copies in place of the lists and objects of one field; False if something in them is no plain JSON."""
    for event in group:
        value = event[key]
        kind = type(value)
        if kind is dict or kind is list:
            event[key] = copied = plain_copy(value) if value else kind()
            if copied is None:
                return False
    return True
