"""The domains that came last, each with the bytes around it: the next call's is recognised without decoding it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

import msgspec

# How many are kept: a worker serves a few assistants, and one more for a while after a training.
_KEPT = 4
_KEY = b'"domain"'
# What may stand before a key; a quote after anything else belongs to a string.
_BEFORE_KEY = b"{, \t\r\n"
_COLON = re.compile(rb"[ \t\r\n:]*")
# How many keys of this name are looked at: a slot may have it, too.
_TRIES = 16
_REST = msgspec.json.Decoder(dict[str, msgspec.Raw])
# A part of a line: what is written is not copied before.
Piece = bytes | memoryview


@dataclass(frozen=True)
class _Known:
    # The end of a call from the domain's key on, and what is written in its stead.
    tail: bytes
    instead: bytes
    file: str


class KnownDomains:
    """Recognises a domain by the end of a call: engines write it there, with no more than its digest behind it."""

    def __init__(self) -> None:
        self._known: deque[_Known] = deque(maxlen=_KEPT)

    def cut(self, body: bytes, start: int = 0) -> tuple[str, tuple[memoryview, bytes]] | None:
        """Return the file of a call's domain and the call with that name instead; None if the domain is not known.

        The call begins at ``start`` and goes to the end. What stands instead of a domain is on one line.
        """
        for known in self._known:
            before = len(body) - len(known.tail)
            if before > start and body.endswith(known.tail) and body[before - 1] in _BEFORE_KEY:
                return known.file, (memoryview(body)[start:before], known.instead)
        return None

    def learn(self, body: bytes, domain: bytes, file: str) -> None:
        """Take note of a call's end, if its domain is there."""
        key = len(body) - len(domain)
        for _ in range(_TRIES):
            key = body.rfind(_KEY, 0, key)
            if key < 1:
                return
            colon = _COLON.match(body, key + len(_KEY))
            start = colon.end() if colon is not None else key
            rest = body[start + len(domain) :]
            if body[key - 1] in _BEFORE_KEY and body.startswith(domain, start) and _ends_call(rest):
                instead = b'"domain_file":"%b"%b' % (file.encode(), rest.replace(b"\n", b" "))
                self._known.appendleft(_Known(body[key:], instead, file))
                return


def _ends_call(rest: bytes) -> bool:
    """Tell whether what stands behind a domain ends the call, so that the domain is the call's and no inner part's."""
    try:
        return _REST.decode(b'{"domain":null' + rest)["domain"] == msgspec.Raw(b"null")
    except msgspec.MsgspecError:
        return False
