"""References: what a patient reads out to the clinic; hosts that share nothing but a calendar give the same one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Iterator
from datetime import datetime
from itertools import count, islice

# Without characters that look or sound alike: 0 O, 1 I L, 5 S, 8 B, U V.
_ALPHABET = "234679ACDEFGHJKMNPQRTWXYZ"
_LENGTH = 6
# A conversation may be called by a telephone number, and a calendar shows references: whoever tries all numbers has to
# do this much for each of them. About ten milliseconds.
_ROUNDS = 20_000
# At the end of a uid, in bytes: by chance one of 280 million million has another conversation's.
_MARK_LENGTH = 6
# So many of them are tried for one time: each that was given up before it was certain used one up.
_MOST = 20


def random_references() -> Iterator[str]:
    """Yield references that follow from nothing."""
    while True:
        yield "APT-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


class References:
    """The references that a conversation's bookings of one type get, for each time in the same order on every host."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    async def of(cls, conversation: str, appointment_type: str) -> References:
        """Return them; it takes some milliseconds, on a thread."""
        text = json.dumps([conversation, appointment_type]).encode()
        return cls(await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", text, b"reference", _ROUNDS))

    def at(self, start: datetime) -> Iterator[str]:
        """Yield the references of the bookings at a time (UTC), the first one first."""
        for number in count():
            digest = hmac.digest(self._secret, f"{start.isoformat()} {number}".encode(), "sha256")
            value, letters = int.from_bytes(digest, "big"), []
            for _ in range(_LENGTH):
                value, place = divmod(value, len(_ALPHABET))
                letters.append(_ALPHABET[place])
            yield "APT-" + "".join(letters)

    def new_uid(self) -> str:
        """Return a uid by which every host that knows conversation and type knows whose it is, and nobody else does."""
        drawn = uuid.UUID(bytes=secrets.token_bytes(16), version=4).bytes[:-_MARK_LENGTH]
        return str(uuid.UUID(bytes=drawn + self._mark(drawn)))

    def has_uid(self, uid: str) -> bool:
        """Say whether `new_uid` made it for this conversation and type, on whichever host."""
        try:
            known = uuid.UUID(uid).bytes
        except ValueError:
            return False  # written by something else
        return hmac.compare_digest(known[-_MARK_LENGTH:], self._mark(known[:-_MARK_LENGTH]))

    def _mark(self, drawn: bytes) -> bytes:
        return hmac.digest(self._secret, b"uid " + drawn, "sha256")[:_MARK_LENGTH]

    def has(self, reference: str, start: datetime) -> bool:
        """Say whether the reference is one of this conversation's at that time."""
        return reference in islice(self.at(start), _MOST)
