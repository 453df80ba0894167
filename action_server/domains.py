"""The domains this worker has seen, by digest: several assistants side by side, none evicts another.

rasa-sdk keeps one domain per process and hands the same dict to every request (differences.md, 5). Here each call
gets a private copy, so an action may change what it gets and nobody else sees it.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from typing import Any

from action_server.errors import MissingDomainError, RequestError
from action_server.wire import Call


class Domains:
    """A bounded store of domains; what was used longest ago goes first."""

    def __init__(self, limit: int) -> None:
        # JSON values in marshal's form: the fastest private copy of a domain the standard library offers.
        self._stored: OrderedDict[str, bytes] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._stored)

    def domain_for(self, call: Call, *, needed: bool) -> dict[str, Any]:
        """Return the domain a call runs with; the caller owns it. ``needed``: does the action read its domain?

        Raises:
            MissingDomainError: the engine speaks digests and has this domain to offer. An engine that never sends
                digests takes 449 for a failure, so it gets ``{}``. So does an action that does not read its domain,
                once the engine was asked and did not send it: with selective domains it never will.
        """
        if call.domain is not None:
            if call.domain_digest:
                self._store(call, call.domain_digest, call.domain)
            return call.domain
        if not call.domain_digest:
            return {}
        stored = self._stored.get(call.domain_digest)
        if stored is None:
            if needed or call.domain_digest not in self._asked:
                self._remember(self._asked, call.domain_digest, None)
                raise MissingDomainError(call.action)
            return {}
        self._stored.move_to_end(call.domain_digest)
        return marshal.loads(stored) if needed else {}  # noqa: S302 - our own bytes

    def _store(self, call: Call, digest: str, domain: dict[str, Any]) -> None:
        self._asked.pop(digest, None)
        try:
            self._remember(self._stored, digest, marshal.dumps(domain))
        except ValueError:
            raise RequestError("domain is nested too deeply", call.action) from None

    def _remember(self, store: OrderedDict[str, Any], digest: str, value: object) -> None:
        store[digest] = value
        store.move_to_end(digest)
        if len(store) > self._limit:
            store.popitem(last=False)
