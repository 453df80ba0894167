"""The domains this worker has seen, by digest: several assistants side by side, none evicts another.

rasa-sdk keeps one domain per process and hands the same dict to every request (differences.md, 5). Here each call
gets a private copy, so an action may change what it gets and nobody else sees it.
"""

from __future__ import annotations

import json
import marshal
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from action_server.errors import MissingDomainError, RequestError
from action_server.protocol.calls import Call, check_domain
from action_server.protocol.domain_files import DomainFiles

# Of these, plain names do not survive the messages of gRPC as engines write them: `{}` arrives.
_NAMES = ("intents", "entities", "actions")


class _Stored(NamedTuple):
    """A domain, and the JSON it came as, if it came as JSON."""

    # JSON values in marshal's form: the fastest private copy of a domain the standard library offers.
    domain: bytes
    came_as: bytes | None
    floats: frozenset[str]

    def copy(self) -> dict[str, Any]:
        """Return the domain, to be changed as one likes."""
        domain: dict[str, Any] = marshal.loads(self.domain)  # noqa: S302 - our own bytes
        return domain


class Domains:
    """A bounded store of domains; what was used longest ago goes first.

    ``files`` are those of all workers. ``default`` is the assistant's, for what gRPC loses.
    """

    def __init__(self, limit: int, files: DomainFiles | None = None, default: dict[str, Any] | None = None) -> None:
        self._default = default
        self._default_floats = floats_of(default)
        self._stored: OrderedDict[str, _Stored] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._limit = limit
        self._files = files

    def __len__(self) -> int:
        return len(self._stored)

    def domain_for(self, call: Call, *, needed: bool) -> dict[str, Any]:
        """Return the domain a call runs with; the caller owns it. ``needed``: does the action read its domain?

        Raises:
            MissingDomainError: the engine speaks digests and has this domain to offer. An engine that never sends
                digests takes 449 for a failure, so it gets ``{}``. So does an action that does not read its domain,
                once the engine was asked and did not send it: with selective domains it never will.
            RequestError: the domain is malformed.
        """
        digest = call.domain_digest
        if call.brings_domain:
            return self._take(call, digest, needed=needed)
        if not digest:
            return {}
        stored = self._stored.get(digest) or self._of_another_worker(digest)
        if stored is None:
            if needed or digest not in self._asked:
                self._remember(self._asked, digest, None)
                raise MissingDomainError(call.action)
            return {}
        self._stored.move_to_end(digest)
        return stored.copy() if needed else {}

    def float_slots(self, digest: str | None) -> frozenset[str]:
        """Return which slots are floats, by the domain of this digest if it is known, otherwise by the default."""
        stored = self._known(digest)
        return self._default_floats if stored is None else stored.floats

    def _known(self, digest: str | None) -> _Stored | None:
        return (self._stored.get(digest) or self._of_another_worker(digest)) if digest else None

    def _take(self, call: Call, digest: str | None, *, needed: bool) -> dict[str, Any]:
        came_as = call.domain_bytes
        if not digest:
            # Undecoded still, a domain that nobody will read can stay so.
            found = (_read(call, needed=needed) or {}) if needed or came_as is None else {}
            self._restore_names(found, None)
            return found
        stored = self._stored.get(digest)
        if stored is not None and came_as is not None and stored.came_as == came_as:
            self._stored.move_to_end(digest)
            return stored.copy() if needed else {}
        domain = _read(call, needed=needed)
        if domain is None:
            return {}
        self._restore_names(domain, digest)
        self._store(call, digest, domain, came_as)
        return domain

    def _store(self, call: Call, digest: str, domain: dict[str, Any], came_as: bytes | None) -> None:
        self._asked.pop(digest, None)
        try:
            self._remember(self._stored, digest, _Stored(marshal.dumps(domain), came_as, floats_of(domain)))
        except ValueError:
            raise RequestError("domain is nested too deeply", call.action) from None
        if self._files is not None:
            as_json = call.domain_json
            self._files.write(digest, as_json if as_json is not None else json.dumps(domain).encode("ascii"))

    def _restore_names(self, domain: dict[str, Any], digest: str | None) -> None:
        """Fill in names that a client's gRPC encoding has emptied, if the same domain is known from elsewhere."""
        lost = [key for key in _NAMES if {} in (domain.get(key) or ())]
        if not lost:
            return
        stored = self._known(digest)
        known = (self._default or {}) if stored is None else stored.copy()
        for key in lost:
            names = known.get(key) or ()
            if len(names) == len(domain[key]) and {} not in names:
                domain[key] = list(names)

    def _of_another_worker(self, digest: str) -> _Stored | None:
        domain = None if self._files is None else self._files.read(digest)
        if domain is None:
            return None
        self._asked.pop(digest, None)
        stored = _Stored(marshal.dumps(domain), None, floats_of(domain))
        self._remember(self._stored, digest, stored)
        return stored

    def _remember(self, store: OrderedDict[str, Any], digest: str, value: object) -> None:
        store[digest] = value
        store.move_to_end(digest)
        if len(store) > self._limit:
            store.popitem(last=False)


def floats_of(domain: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the names of a domain's slots that are floats."""
    slots = (domain or {}).get("slots")
    declared = slots.items() if isinstance(slots, dict) else ()
    return frozenset(name for name, slot in declared if isinstance(slot, dict) and slot.get("type") == "float")


def _read(call: Call, *, needed: bool) -> dict[str, Any] | None:
    """Return the call's domain; None if it is malformed and nobody reads it."""
    domain = call.domain or {}
    try:
        check_domain(domain)
    except RequestError as exc:
        if needed:
            raise RequestError(str(exc), call.action) from None
        return None
    return domain
