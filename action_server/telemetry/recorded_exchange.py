"""What is written down of a call: its request, the domain in a file of its own, and its reply, both masked."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from action_server.telemetry.known_domains import KnownDomains, Piece
from action_server.telemetry.masking import Masker, Privacy, Rule, mask_plain


class DomainKeeper(Protocol):
    """Keeps the domains that calls came with, each once, under a name of its own."""

    def use_domain(self, name: str) -> bool:
        """Keep a domain for as long as a call needs; tell whether it is there."""
        ...

    def keep_domain(self, domain: bytes, digest: str) -> str:
        """Keep a domain and return its name; ``digest`` is the engine's."""
        ...

    def domain_of(self, digest: str) -> str | None:
        """Return the name of the domain with this digest, if it is known."""
        ...


_NULL = msgspec.Raw(b"null")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_Parts = dict[str, msgspec.Raw]


class RecordedExchange:
    """Prepares exchanges. A body is split and not decoded, but for the parts in which something is to be hidden."""

    def __init__(self, rules: Collection[Rule]) -> None:
        self._privacy = Privacy(rules)
        self._slots = frozenset(rule.slot for rule in rules)
        self._domains = KnownDomains()

    @property
    def masks(self) -> bool:
        """Whether there is anything that may have to be hidden."""
        return bool(self._slots)

    def prepare(self, body: bytes, reply: bytes, files: DomainKeeper) -> tuple[bytes, bytes, str]:
        """Return the request and the reply as they are written, and the action's name.

        Raises:
            ValueError: the body is no call; also msgspec's errors, and a RecursionError of one that is nested too deep.
            OSError: the domain's file cannot be written.
        """
        cut = self._without_known_domain(body, 0, files)
        if cut is not None:
            body = b"".join(cut)
        parts = split_object(body)
        name = msgspec.json.decode(parts.get("next_action", _NULL))
        action = name if isinstance(name, str) else ""
        kept = self._keep_domain(body, parts, files)
        if kept is not None:
            parts["domain_file"] = msgspec.Raw(json.dumps(kept).encode())
        if not self.masks:
            return msgspec.json.encode(parts), reply, action
        masker = self._masker_of(parts, reply)
        return _mask(msgspec.json.encode(parts), masker), _mask(reply, masker) if reply else reply, action

    def shorten(self, body: bytes, start: int, files: DomainKeeper) -> Sequence[Piece]:
        """Return the request of a call without masks in pieces, on one line, its domain in a file.

        It begins at ``start`` of the body, and nothing of it is copied or looked at that need not be: of what is many
        times as large as a processor's cache, reading is what costs.

        Raises:
            ValueError, OSError: as :meth:`prepare`.
        """
        cut = self._without_known_domain(body, start, files)
        if cut is None:
            request = body[start:] if start else body
            return (on_one_line(self.prepare(request, b"", files)[0] if b'"domain"' in request else request),)
        before, instead = cut
        if body.find(b"\n", start, start + len(before)) < 0:
            return cut
        return (on_one_line(bytes(before)), instead)

    def _without_known_domain(self, body: bytes, start: int, files: DomainKeeper) -> tuple[memoryview, bytes] | None:
        found = self._domains.cut(body, start)
        return found[1] if found is not None and files.use_domain(found[0]) else None

    def _keep_domain(self, body: bytes, parts: _Parts, files: DomainKeeper) -> str | None:
        """Take the domain out of a call and return the file that has it; None if nobody knows the domain."""
        domain = bytes(parts.pop("domain", _NULL))
        digest = msgspec.json.decode(parts.get("domain_digest", _NULL))
        key = digest if isinstance(digest, str) else ""
        if domain == b"null":
            return files.domain_of(key) if key else None
        file = files.keep_domain(domain, key)
        self._domains.learn(body, domain, file)
        return file

    def _masker_of(self, parts: _Parts, reply: bytes) -> Masker:
        """Return what hides the values that masked slots had, have, and get from the answer."""
        tracker = _split(parts.get("tracker"))
        slots, events = tracker.get("slots"), tracker.get("events")
        held = {name: json.loads(bytes(value)) for name, value in _split(slots).items() if name in self._slots}
        masker = self._privacy.values_of(held)
        if masker is None:
            raise AssertionError("there are rules")
        told = [*_slot_events(bytes(events or b"")), *_slot_events(reply)]
        for event in told:
            masker.also(str(event.get("name")), event.get("value"))
        return masker


def on_one_line(text: bytes) -> bytes:
    """Return JSON without ends of lines, which are nothing but space in it; not copied if it has none."""
    return text.replace(b"\n", b" ")


def split_object(body: bytes) -> _Parts:
    """Return the parts of an object, in the bytes it came in. Raises :class:`ValueError` if it is none."""
    try:
        return _OBJECT.decode(body)
    except msgspec.MsgspecError:
        # NaN, which engines send; and no JSON at all, which this refuses, too.
        call = json.loads(body)
        if not isinstance(call, dict):
            raise ValueError("no call") from None
        return {str(key): msgspec.Raw(json.dumps(value).encode()) for key, value in call.items()}


def _split(raw: msgspec.Raw | None) -> _Parts:
    """Return the parts of an object; none of anything else."""
    try:
        return _OBJECT.decode(raw or _NULL)
    except msgspec.MsgspecError:
        return {}


def _slot_events(raw: bytes) -> list[dict[str, Any]]:
    """Return the events that set slots, of a list of events or of a reply; cheap where there are none."""
    if b'"slot"' not in raw:
        return []
    found = json.loads(raw)
    events = found.get("events") if isinstance(found, dict) else found
    if not isinstance(events, list):
        return []
    return [event for event in events if isinstance(event, dict) and event.get("event") == "slot"]


def _mask(raw: bytes, masker: Masker) -> bytes:
    """Return JSON with every value hidden that the masker knows; what holds none of them stays as it came."""
    # Escapes can hide a value from a search: such a part is decoded.
    if b"\\" not in raw and not masker.is_in(raw.decode()):
        return raw
    kind = raw.lstrip()[:1]
    if kind == b"{":
        parts = _OBJECT.decode(raw)
        return msgspec.json.encode(
            {masker.apply(key): msgspec.Raw(_mask(bytes(part), masker)) for key, part in parts.items()}
        )
    if kind == b"[":
        return msgspec.json.encode([msgspec.Raw(_mask(bytes(part), masker)) for part in _LIST.decode(raw)])
    return json.dumps(mask_plain(json.loads(raw), masker)).encode()
