"""Watches the calls of one worker: a call leaves what it has in a list, and a thread writes it into the file.

The thread takes a small part of what the process computes, whatever comes: calls that come faster than it can keep them
are counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from contextvars import ContextVar, Token
from typing import NamedTuple

import msgspec

from action_server.inspector.calls_file import CallsFile, Ended
from action_server.inspector.kept import Notes, has_failed
from action_server.telemetry.call_notes import CallNotes, Witness, Witnesses, noted_call
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.masking import Rule
from action_server.telemetry.recorded_exchange import RecordedExchange, split_object

logger = logging.getLogger(__name__)

# Calls that wait to be written, and those beyond it that failed; their bytes altogether, and those of one.
_WAITING, _FAILED_WAITING = 1000, 2000
_WAITING_BYTES = 48 * 1024 * 1024
_LARGEST = 4 * 1024 * 1024
# From one batch to the next, in seconds; and the thread's part of what the process computes, or of all time.
_PAUSE = 0.2
_SHARE, _SHARE_OF_TIME = 0.06, 0.03
_LAST_WORDS = 5.0
# The status of a call that nobody waited for any more.
_GONE = 499


class Rerun:
    """A call that a page runs: ``of`` is the number of the one that it repeats, ``kept`` gets its own."""

    def __init__(self, of: int | None) -> None:
        self.of = of
        self.has_begun = False
        self.kept: Future[int] = Future()


# The call that a page runs here.
rerunning: ContextVar[Rerun | None] = ContextVar("action_server_rerunning", default=None)


class WatchedCall:
    """One call while it runs, for the watch and for whoever records calls beside it."""

    __slots__ = ("_other", "_token", "_watch", "body", "face", "notes", "request_id", "rerun")

    def __init__(self, watch: CallWatch, face: str, request_id: str, other: Witness | None) -> None:
        self._watch = watch
        self._other = other
        self.face = face
        self.request_id = request_id
        self.rerun = rerunning.get()
        if self.rerun is not None:
            self.rerun.has_begun = True
        self.body = b""
        self.notes = CallNotes(time.perf_counter())
        self._token: Token[CallNotes | None] = noted_call.set(self.notes)

    def take(self, body: bytes | memoryview) -> None:
        """Take note of the body."""
        self.body = bytes(body)
        if self._other is not None:
            self._other.take(body)

    def end(self, status: int, reply: bytes) -> None:
        """Let the call be kept; takes some microseconds, whatever the disk does."""
        if self._other is not None:
            self._other.end(status, reply)
        self._finish(status, reply)

    def leave(self) -> None:
        """Keep a call that nobody waited for any more."""
        if self._other is not None:
            self._other.leave()
        self._finish(_GONE, b"")

    def _finish(self, status: int, reply: bytes) -> None:
        noted_call.reset(self._token)
        self._watch.end(_Call(time.time(), self, status, reply))


class _Call(NamedTuple):
    at: float
    seen: WatchedCall
    status: int
    reply: bytes

    @property
    def size(self) -> int:
        return len(self.seen.body) + len(self.reply)


class CallWatch:
    """Watches the calls of one worker; to be closed. ``recorder`` sees them as well."""

    def __init__(self, file: CallsFile, rules: Collection[Rule], recorder: Witnesses | None) -> None:
        self._file = file
        self._recorder = recorder
        self._exchanges = RecordedExchange(rules)
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._bytes = self._missed = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._has_complained = False
        self._thread = threading.Thread(target=self._write_batches, name="inspector", daemon=True)
        self._thread.start()

    def begin(self, face: str, request_id: str = "") -> WatchedCall:
        """Begin to watch a call."""
        other = None if self._recorder is None else self._recorder.begin(face, request_id)
        return WatchedCall(self, face, request_id, other)

    def end(self, call: _Call) -> None:
        """Let a call be kept, if there is room: there is more of it for one that failed."""
        most = _FAILED_WAITING if has_failed(call.seen.notes.outcome, call.status) else _WAITING
        has_to_be_kept = call.seen.rerun is not None
        with self._lock:
            if not has_to_be_kept and (len(self._waiting) >= most or self._bytes + call.size > _WAITING_BYTES):
                self._missed += 1
                return
            self._waiting.append(call)
            self._bytes += call.size
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_LAST_WORDS)
        self._file.close()

    def _write_batches(self) -> None:
        while not self._closing.is_set() or self._waiting:
            self._wake.wait()
            self._wake.clear()
            begun, all_begun = time.thread_time(), time.process_time()
            with self._lock:
                batch, self._waiting = self._waiting, []
                missed, self._missed = self._missed, 0
                self._bytes = 0
            self._write(batch, missed)
            self._rest(time.thread_time() - begun, all_begun)

    def _rest(self, used: float, all_begun: float) -> None:
        """Wait until what the thread has used is a small part of what the process has, or of the time if it is idle."""
        ends = time.monotonic() + used / _SHARE_OF_TIME
        self._closing.wait(_PAUSE)
        while not self._closing.is_set() and time.monotonic() < ends:
            if used <= (time.process_time() - all_begun) * _SHARE:
                return
            self._closing.wait(_PAUSE)

    def _write(self, batch: list[_Call], missed: int) -> None:
        try:
            numbers = self._file.write([self._ended(call) for call in batch], missed)
            for call, number in zip(batch, numbers, strict=True):
                if call.seen.rerun is not None:
                    call.seen.rerun.kept.set_result(number)
        except Exception as exc:  # noqa: BLE001 - an odd call, or a full disk, must not end the watching of all others
            for call in batch:
                if call.seen.rerun is not None and not call.seen.rerun.kept.done():
                    call.seen.rerun.kept.set_exception(exc)
            if not self._has_complained:
                self._has_complained = True
                logger.warning("inspector.not_kept", extra={"problem": f"{type(exc).__name__}: {exc}"})

    def _ended(self, call: _Call) -> Ended:
        seen, notes = call.seen, call.seen.notes
        request: bytes | None = seen.body
        reply: bytes | None = call.reply
        action = notes.action
        if call.size > _LARGEST:
            request = reply = None
        else:
            try:
                if self._exchanges.masks or not action:
                    request, reply, action = self._exchanges.prepare(seen.body, call.reply, self._file)
                else:
                    request = b"".join(self._exchanges.shorten(seen.body, 0, self._file))
            except (ValueError, RecursionError, AttributeError, msgspec.MsgspecError):
                # No call; and nothing can be hidden in it.
                if self._exchanges.masks:
                    request = reply = None
        started = notes.started or notes.ended or notes.began
        return Ended(
            at=call.at,
            face=seen.face,
            action=notes.action or action,
            sender_id=notes.sender_id or _sender_of(request),
            request_id=seen.request_id,
            error_id=notes.error_id or _error_id_of(reply),
            outcome=notes.outcome or "refused",
            status=call.status,
            waiting_ms=milliseconds(started - notes.began),
            ms=milliseconds((notes.ended or started) - started),
            repeated=notes.repeated,
            again=None if seen.rerun is None else seen.rerun.of,
            request=request,
            reply=reply,
            notes=_encode(notes),
        )


def _encode(notes: CallNotes) -> bytes:
    began = notes.began

    def since(moment: float) -> float | None:
        return round(moment - began, 6) if moment else None

    outbound = [(round(one.start - began, 6), *one[1:]) for one in notes.outbound]
    kept = Notes(
        decoded=since(notes.decoded),
        started=since(notes.started),
        on_thread=since(notes.on_thread),
        ended=since(notes.ended),
        place=notes.place,
        exception=notes.exception,
        lines=[(line.at, line.level, line.logger, line.text) for line in notes.lines],
        outbound=outbound,
        dropped=notes.dropped,
    )
    try:
        return msgspec.json.encode(kept)
    except UnicodeEncodeError:
        # Lone surrogates, which an author may log.
        return json.dumps(msgspec.to_builtins(kept)).encode("ascii")


def _sender_of(request: bytes | None) -> str:
    with contextlib.suppress(ValueError, msgspec.MsgspecError, RecursionError):
        sender = json.loads(bytes(split_object(request or b"").get("sender_id", b"null")))
        return sender if isinstance(sender, str) else ""
    return ""


def _error_id_of(reply: bytes | None) -> str:
    if reply is None or b'"error_id"' not in reply:
        return ""
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        return str(json.loads(reply).get("error_id", ""))
    return ""
