"""The domains this worker has seen, by digest: several assistants side by side, none evicts another.

rasa-sdk keeps one domain per process and hands the same dict to every request (differences.md, 5). Here each call
gets a private copy, so an action may change what it gets and nobody else sees it.
"""

from __future__ import annotations

import json
import marshal
from collections import OrderedDict
from typing import Any, NamedTuple

from action_server.errors import MissingDomainError, RequestError
from action_server.protocol.calls import Call, check_domain
from action_server.protocol.domain_files import DomainFiles


class _Stored(NamedTuple):
    """A domain, and the JSON it came as, if it came as JSON."""

    # JSON values in marshal's form: the fastest private copy of a domain the standard library offers.
    domain: bytes
    came_as: bytes | None

    def copy(self) -> dict[str, Any]:
        """Return the domain, to be changed as one likes."""
        domain: dict[str, Any] = marshal.loads(self.domain)  # noqa: S302 - our own bytes
        return domain


class Domains:
    """A bounded store of domains; what was used longest ago goes first. ``files`` are those of all workers."""

    def __init__(self, limit: int, files: DomainFiles | None = None) -> None:
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

    def _take(self, call: Call, digest: str | None, *, needed: bool) -> dict[str, Any]:
        came_as = call.domain_bytes
        if not digest:
            # Undecoded still, a domain that nobody will read can stay so.
            return _read(call, needed=needed) or {} if needed or came_as is None else {}
        stored = self._stored.get(digest)
        if stored is not None and came_as is not None and stored.came_as == came_as:
            self._stored.move_to_end(digest)
            return stored.copy() if needed else {}
        domain = _read(call, needed=needed)
        if domain is None:
            return {}
        self._store(call, digest, domain, came_as)
        return domain

    def _store(self, call: Call, digest: str, domain: dict[str, Any], came_as: bytes | None) -> None:
        self._asked.pop(digest, None)
        try:
            self._remember(self._stored, digest, _Stored(marshal.dumps(domain), came_as))
        except ValueError:
            raise RequestError("domain is nested too deeply", call.action) from None
        if self._files is not None:
            self._files.write(digest, came_as if came_as is not None else json.dumps(domain).encode("ascii"))

    def _of_another_worker(self, digest: str) -> _Stored | None:
        domain = None if self._files is None else self._files.read(digest)
        if domain is None:
            return None
        self._asked.pop(digest, None)
        stored = _Stored(marshal.dumps(domain), None)
        self._remember(self._stored, digest, stored)
        return stored

    def _remember(self, store: OrderedDict[str, Any], digest: str, value: object) -> None:
        store[digest] = value
        store.move_to_end(digest)
        if len(store) > self._limit:
            store.popitem(last=False)


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
