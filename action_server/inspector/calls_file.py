"""The calls of all workers of a server, in a folder of bounded size that stays over a restart."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from action_server.inspector.kept import CallRow, EndedCall, KeptCall, Notes
from action_server.inspector.kept_domains import KeptDomains
from action_server.inspector.segments import Segments
from action_server.telemetry.known_domains import Piece

_SEARCHED = ("sender_id", "action", "request_id", "error_id", "job")
_encode = msgspec.json.Encoder().encode
_ROW = msgspec.json.Decoder(CallRow)
_NOTES = msgspec.json.Decoder(Notes)


class Leaving(NamedTuple):
    """A call on its way into the file: its row, and its request, reply and notes in pieces, with their bytes."""

    call: EndedCall
    parts: Sequence[Piece]
    size: int


class Newest(NamedTuple):
    """The number of the newest call of all workers, and how many came too fast to be kept, the last of them when."""

    number: int
    missed: int
    missed_at: float


@dataclass(frozen=True)
class Wanted:
    """Which calls are asked for: those that have ``text`` in one of their names, and failed if ``failed``."""

    text: str = ""
    failed: bool = False
    action: str = ""

    def may_include(self, line: bytes) -> bool:
        """Tell of a row as it is written whether it may be one of them: most are not, and need not be decoded then."""
        if self.failed and not line.startswith(b"[true,"):
            return False
        return all(text in line.lower() for text in self._written)

    @cached_property
    def _written(self) -> list[bytes]:
        # Not what JSON writes in another way.
        plain = (text for text in (self.text, self.action) if text.isascii() and text.isprintable())
        return [text.lower().encode() for text in plain if text and not set(text) & {'"', "\\"}]

    def includes(self, row: CallRow) -> bool:
        """Tell whether a call is one of them. Upper and lower case are the same."""
        if (self.failed and not row.failed) or (self.action and row.action != self.action):
            return False
        text = self.text.lower()
        return not text or any(text in getattr(row, name).lower() for name in _SEARCHED)


_ALL = Wanted()


class CallsFile:
    """The calls, as one process has them. Reading and writing may be done on different threads."""

    def __init__(self, folder: Path, most_calls: int, most_bytes: int, worker: int) -> None:
        self._segments = Segments(folder, most_calls, most_bytes)
        self.domains = KeptDomains(folder / "domains")
        self._worker = worker
        # Of a version that kept another form.
        for file in folder.glob("calls.sqlite3*"):
            file.unlink(missing_ok=True)

    def write(self, calls: Sequence[Leaving], missed: int = 0) -> list[int]:
        """Keep these calls, and forget the oldest of those that are too many; return their numbers.

        Raises:
            OSError: the disk refuses; then none of them is kept.
        """
        with self._segments.appending(len(calls), sum(call.size for call in calls)) as appending:
            first, start = appending.state.number, appending.start
            rows: list[bytes] = []
            parts: list[Piece] = []
            for number, (call, pieces, size) in enumerate(calls, first):
                # The last ones are known only now, as other workers write as well.
                rows.append(b"%b,%d,%d,%d]\n" % (_row_of(call)[:-1], self._worker, start, number))
                parts += pieces
                start += size
            appending.append(rows, parts)
            if missed:
                state = appending.state
                appending.state = state._replace(missed=state.missed + missed, missed_at=time.time())
        return list(range(first, first + len(calls)))

    @property
    def newest(self) -> Newest:
        """How far the file is. It is no more than a look at some bytes that all workers share."""
        state = self._segments.state
        return Newest(state.number - 1, state.missed, state.missed_at)

    def find(self, wanted: Wanted, limit: int, before: int | None = None) -> list[CallRow]:
        """Return the newest calls of those that are wanted, older than ``before`` if it is given."""
        found = []
        for row in self._rows(before, wanted):
            if wanted.includes(row):
                found.append(row)
                if len(found) == limit:
                    break
        return found

    def times_since(self, at: float) -> dict[str, list[float]]:
        """Return how long the calls of each action ran since ``at``, in milliseconds, those that are kept; sorted."""
        times: dict[str, list[float]] = {}
        for row in self._rows():
            if row.at >= at:
                times.setdefault(row.action, []).append(row.ms)
        return {name: sorted(found) for name, found in times.items()}

    def last_failures(self) -> dict[str, CallRow]:
        """Return the last call of each action that failed."""
        failures: dict[str, CallRow] = {}
        for row in self._rows():
            if row.failed:
                failures.setdefault(row.action, row)
        return failures

    def calls_with(self, request_ids: set[str]) -> dict[str, CallRow]:
        """Return the call that came with each of these request ids, the newest one, as far as they are kept."""
        calls: dict[str, CallRow] = {}
        for row in self._rows():
            if row.request_id in request_ids and not row.job:
                calls.setdefault(row.request_id, row)
                if len(calls) == len(request_ids):
                    break
        return calls

    def read(self, number: int) -> KeptCall | None:
        """Return one call; None if it is not kept any more."""
        line = self._segments.row(number)
        row = None
        with contextlib.suppress(msgspec.MsgspecError):
            row = None if line is None else _ROW.decode(line)
        parts = None if row is None else self._segments.parts(number, row.start, row.size)
        if row is None or parts is None:
            return None
        request_end = max(0, row.request)
        reply_end = request_end + max(0, row.reply)
        request = _loads(parts[:request_end])
        notes = _NOTES.decode(parts[reply_end:]) if row.notes else Notes()
        shown = self._with_domain(request) if isinstance(request, dict) else None
        return KeptCall(row, shown, _loads(parts[request_end:reply_end]), notes)

    def _with_domain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with the domain that it came with, or that its digest stands for."""
        name, digest = request.pop("domain_file", None), request.get("domain_digest")
        if name is None and request.get("domain") is None and isinstance(digest, str):
            name = self.domains.domain_of(digest)
        content = self.domains.read(name) if isinstance(name, str) else None
        return request if content is None else {**request, "domain": _loads(content)}

    def _rows(self, before: int | None = None, wanted: Wanted = _ALL) -> Iterator[CallRow]:
        for line in filter(wanted.may_include, self._segments.rows(before)):
            # What a power cut tore is no call.
            with contextlib.suppress(msgspec.MsgspecError):
                yield _ROW.decode(line)


def _row_of(call: EndedCall) -> bytes:
    try:
        return _encode(call)
    except UnicodeEncodeError:
        # Engines write halves of surrogate pairs.
        plain = {name: _storable(value) for name, value in msgspec.structs.asdict(call).items()}
        return _encode(EndedCall(**plain))


def _storable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _loads(text: bytes) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text) if text else None
    return None
