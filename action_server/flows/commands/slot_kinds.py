"""What a slot wants to know, told by the words of its name and its description: a day, a place, somebody's name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from action_server.flows.commands.generator import SlotView
from action_server.flows.commands.words import alike, words


class Kind(Enum):
    """What the text of a slot looks like. OPEN is said in the user's own words, OTHER has no look of its own."""

    EMAIL = "email"
    HANDLE = "handle"
    PHONE = "phone"
    CODE = "code"
    ADDRESS = "address"
    DATE = "date"
    TIME = "time"
    PLACE = "place"
    PERSON = "person"
    OPEN = "open"
    OTHER = "other"


_WORDS: Mapping[Kind, frozenset[str]] = {
    Kind.EMAIL: frozenset(words("email mail")),
    Kind.HANDLE: frozenset(words("handle username nickname")),
    Kind.PHONE: frozenset(words("phone telephone mobile")),
    Kind.OPEN: frozenset(
        words("reason details detail incident problem comment message note feedback purpose question complaint issue")
        + words("symptom symptoms remark request happened wrong")
    ),
    Kind.CODE: frozenset(words("reference code id plate zip postcode iban number")),
    Kind.ADDRESS: frozenset(words("address street")),
    Kind.DATE: frozenset(words("date day checkin checkout departure")),
    Kind.TIME: frozenset(words("time hour when")),
    Kind.PLACE: frozenset(words("city town area place location origin destination country airport station where")),
    Kind.PERSON: frozenset(words("recipient person payee author friend contact name receiver sender customer")),
}
_SURE_KINDS = (Kind.EMAIL, Kind.HANDLE, Kind.PHONE, Kind.OPEN)
_MONEY = frozenset(words("amount price money dollar dollars euro euros budget cost pay fee spent sum payment"))
_FROM = frozenset(words("origin from departure depart sender start source"))
_TO = frozenset(words("destination to arrival recipient receiver payee gets target"))
_BY = frozenset(words("author writer artist by"))


@lru_cache(maxsize=20_000)
def _split(text: str) -> tuple[str, ...]:
    return tuple(words(text.replace("_", " ")))


def slot_words(slot: SlotView) -> tuple[str, ...]:
    """Return the words of a slot's name and of its description."""
    return (*_split(slot.name), *_split(slot.description))


def kind_of(slot: SlotView) -> Kind:
    """Return what a text slot wants to know; its name counts for more than its description."""
    return _kind_of(slot.name, slot.description)


@lru_cache(maxsize=20_000)
def _kind_of(name: str, description: str) -> Kind:
    own = _split(name)
    for kind in _SURE_KINDS:
        if not _WORDS[kind].isdisjoint(own):
            return kind
    # The last word of a name is what it is: a checkout time is a time.
    for word in reversed(own):
        for kind, known in _WORDS.items():
            if word in known:
                return kind
    told = set(_split(description))
    return next((kind for kind, known in _WORDS.items() if told & known), Kind.OTHER)


def is_money(slot: SlotView) -> bool:
    """Tell whether a number slot holds an amount of money."""
    return not _MONEY.isdisjoint(slot_words(slot))


def prepositions_of(slot: SlotView) -> frozenset[str]:
    """Return the words before a name that say that this slot is meant."""
    name, said = set(_split(slot.name)), set(slot_words(slot))
    if name & _FROM or (said & _FROM and not said & _TO):
        return frozenset({"from"})
    if name & _BY or said & _BY:
        return frozenset({"by"})
    if kind_of(slot) is Kind.PERSON:
        return frozenset({"to", "for", "with"})
    return frozenset({"to"}) if name & _TO else frozenset({"in", "at", "near", "from", "to"})


def speaks_of(slot: SlotView, word: str) -> bool:
    """Tell whether a word stands in the slot's name or description."""
    return any(alike(word, own) for own in slot_words(slot))
