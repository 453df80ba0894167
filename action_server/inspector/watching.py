"""Watches the calls of one worker: a call leaves what it has in a list, and a thread appends that to the file.

Nothing is made of it until somebody looks: bodies go to the file as they came, but for what privacy rules hide. The
thread takes a small part of what the process computes, whatever comes: calls that come faster than it can keep them
are counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from contextvars import ContextVar, Token

import msgspec

from action_server.inspector.calls_file import CallsFile, Leaving
from action_server.inspector.kept import EndedCall, Notes, has_failed
from action_server.telemetry.call_notes import CallNotes, Witness, Witnesses, noted_call
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.known_domains import Piece
from action_server.telemetry.masking import Rule
from action_server.telemetry.recorded_exchange import RecordedExchange, split_object

logger = logging.getLogger(__name__)

# Calls that wait to be written, and those beyond it that failed; their bytes altogether, and those of one.
_WAITING, _FAILED_WAITING = 1000, 2000
_WAITING_BYTES = 48 * 1024 * 1024
_LARGEST = 4 * 1024 * 1024
# A name that is longer than this, in characters, is shortened in the list; the request has all of it.
_LONGEST_NAME = 300
# From one batch to the next, in seconds, and where many calls come: each batch costs something, however few are in it.
_PAUSE, _BUSY_PAUSE = 0.2, 1.0
# So many calls in a batch are many; when so many wait, or so many bytes, the pause ends.
_MANY, _CROWD, _CROWD_BYTES = 20, 500, 16 * 1024 * 1024
# The part of its time that the thread may compute, as it takes Python's lock from the calls: some thousands of calls in
# a second.
_SHARE = 0.03
_LAST_WORDS = 5.0
# How soon the file is tried once more where the disk refused, if no call comes before.
_TRY_AGAIN = 5.0
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


class WatchedCall(CallNotes, kw_only=True):
    """One call while it runs, for the watch and for whoever records calls beside it; and what is noted of it.

    ``body`` is what came, in which the call begins at ``start``.
    """

    watch: CallWatch
    face: str
    request_id: str
    other: Witness | None
    rerun: Rerun | None
    token: Token[CallNotes | None] | None = None
    body: bytes = b""
    start: int = 0
    at: float = 0.0
    status: int = 0
    reply: bytes = b""
    # How many bytes it has as it waits.
    size: int = 0

    def take(self, body: bytes | memoryview) -> None:
        """Take note of the body. A view has to be one of the end of bytes: they are kept, and not copied."""
        if isinstance(body, bytes):
            self.body = body
        else:
            whole = body.obj
            self.body = whole if isinstance(whole, bytes) else bytes(body)
            self.start = len(self.body) - len(body)
        if self.other is not None:
            self.other.take(body)

    def end(self, status: int, reply: bytes) -> None:
        """Let the call be kept; takes some microseconds, whatever the disk does."""
        if self.other is not None:
            self.other.end(status, reply)
        self._finish(status, reply)

    def leave(self) -> None:
        """Keep a call that nobody waited for any more."""
        if self.other is not None:
            self.other.leave()
        self._finish(_GONE, b"")

    def dismiss(self) -> None:
        """Keep nothing of it."""
        if self.other is not None:
            self.other.dismiss()
        self._look_away()

    def _look_away(self) -> None:
        if self.token is not None:
            noted_call.reset(self.token)
            # It holds all of the call's context.
            self.token = None

    def _finish(self, status: int, reply: bytes) -> None:
        self._look_away()
        self.at, self.status, self.reply = time.time(), status, reply
        self.size = len(self.body) + len(reply)
        self.watch.end(self)


class CallWatch:
    """Watches the calls of one worker; to be closed. ``recorder`` sees them as well."""

    def __init__(self, file: CallsFile, rules: Collection[Rule], recorder: Witnesses | None) -> None:
        self._file = file
        self._recorder = recorder
        self._exchanges = RecordedExchange(rules)
        self._lock = threading.Lock()
        self._waiting: list[WatchedCall] = []
        self._bytes = self._missed = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._has_complained = False
        self._thread = threading.Thread(target=self._write_batches, name="inspector", daemon=True)
        self._thread.start()

    def begin(self, face: str, request_id: str = "") -> WatchedCall:
        """Begin to watch a call."""
        other = None if self._recorder is None else self._recorder.begin(face, request_id)
        rerun = rerunning.get()
        if rerun is not None:
            rerun.has_begun = True
        began = time.perf_counter()
        seen = WatchedCall(began, watch=self, face=face, request_id=request_id, other=other, rerun=rerun)
        seen.token = noted_call.set(seen)
        return seen

    def end(self, call: WatchedCall) -> None:
        """Let a call be kept, if there is room: there is more of it for one that failed."""
        most = _FAILED_WAITING if has_failed(call.outcome, call.status) else _WAITING
        with self._lock:
            waiting, size = len(self._waiting), self._bytes + call.size
            if call.rerun is None and (waiting >= most or size > _WAITING_BYTES):
                self._missed += 1
                return
            self._waiting.append(call)
            self._bytes = size
        if not self._wake.is_set():
            self._wake.set()
        if (waiting >= _CROWD or size > _CROWD_BYTES or call.rerun is not None) and not self._hurry.is_set():
            self._hurry.set()

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._closing.set()
        self._wake.set()
        self._hurry.set()
        self._thread.join(_LAST_WORDS)

    def _write_batches(self) -> None:
        while not self._closing.is_set() or self._waiting:
            # What could not be written is counted there, also if no call comes any more.
            self._wake.wait(_TRY_AGAIN if self._missed else None)
            self._wake.clear()
            self._hurry.clear()
            begun = time.thread_time()
            with self._lock:
                batch, self._waiting = self._waiting, []
                missed, self._missed = self._missed, 0
                self._bytes = 0
            if batch or missed:
                self._write(batch, missed)
            # The clock of the thread: a slow disk is no reason to write less often.
            self._closing.wait(max(_PAUSE, (time.thread_time() - begun) / _SHARE))
            if len(batch) >= _MANY:
                self._hurry.wait(_BUSY_PAUSE - _PAUSE)

    def _write(self, batch: list[WatchedCall], missed: int) -> None:
        try:
            leaving = [(call, found) for call in batch if (found := self._leaving_if_it_can(call)) is not None]
            numbers = self._file.write([found for _, found in leaving], missed + len(batch) - len(leaving))
            for (call, _), number in zip(leaving, numbers, strict=True):
                if call.rerun is not None:
                    call.rerun.kept.set_result(number)
        except Exception as exc:  # noqa: BLE001 - a full disk must not end the watching of what comes later
            for call in batch:
                self._complain(call, exc)
            with self._lock:
                self._missed += len(batch) + missed

    def _complain(self, call: WatchedCall, problem: Exception) -> None:
        if call.rerun is not None and not call.rerun.kept.done():
            call.rerun.kept.set_exception(problem)
        if not self._has_complained:
            self._has_complained = True
            logger.warning("inspector.not_kept", extra={"problem": f"{type(problem).__name__}: {problem}"})

    def _leaving_if_it_can(self, seen: WatchedCall) -> Leaving | None:
        try:
            return self._leaving(seen)
        except Exception as exc:  # noqa: BLE001 - an odd call takes none of the others along
            self._complain(seen, exc)
            return None

    def _leaving(self, seen: WatchedCall) -> Leaving:
        request, reply, action = self._exchange_of(seen)
        notes = _notes_of(seen)
        # What did not become a call says itself whose it was.
        sender_id = seen.sender_id or ("" if seen.action else _sender_of(request))
        names: Sequence[str] = (seen.action or action, sender_id, seen.request_id, seen.error_id or _error_id_of(reply))
        if max(map(len, names)) > _LONGEST_NAME:
            names = [_short(name) for name in names]
        request_size = -1 if request is None else sum(map(len, request))
        reply_size = -1 if reply is None else len(reply)
        call = _row_of(seen, names, request_size, reply_size, len(notes))
        size = max(0, request_size) + max(0, reply_size) + len(notes)
        return Leaving(call, (*(request or ()), reply or b"", notes), size)

    def _exchange_of(self, seen: WatchedCall) -> tuple[Sequence[Piece] | None, bytes | None, str]:
        """Return the request and the reply as they are kept, and the action's name if only the request tells it."""
        if seen.size > _LARGEST or seen.job:
            return None, None, ""
        masks = self._exchanges.masks
        try:
            if not masks and seen.action:
                return self._exchanges.shorten(seen.body, seen.start, self._file.domains), seen.reply, ""
            body = seen.body[seen.start :] if seen.start else seen.body
            request, reply, action = self._exchanges.prepare(body, seen.reply, self._file.domains)
            return (request,), reply, action
        except (ValueError, RecursionError, AttributeError, msgspec.MsgspecError):
            # No call; and nothing can be hidden in it.
            return (None, None, "") if masks else ((seen.body[seen.start :],), seen.reply, "")


def _row_of(seen: WatchedCall, names: Sequence[str], request: int, reply: int, notes: int) -> EndedCall:
    action, sender_id, request_id, error_id = names
    began, ended = seen.began, seen.ended or seen.began
    started = seen.started or ended
    return EndedCall(
        failed=has_failed(seen.outcome, seen.status),
        at=seen.at,
        face=seen.face,
        action=action,
        sender_id=sender_id,
        request_id=request_id,
        error_id=error_id,
        outcome=seen.outcome or "refused",
        status=seen.status,
        waiting_ms=milliseconds(started - began),
        ms=milliseconds(ended - started),
        repeated=seen.repeated,
        again=None if seen.rerun is None else seen.rerun.of,
        job=seen.job,
        decoded=int((seen.decoded - began) * 1e6) if seen.decoded else None,
        started=int((seen.started - began) * 1e6) if seen.started else None,
        on_thread=int((seen.on_thread - began) * 1e6) if seen.on_thread else None,
        ended=int((seen.ended - began) * 1e6) if seen.ended else None,
        request=request,
        reply=reply,
        notes=notes,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _notes_of(seen: WatchedCall) -> bytes:
    if not (seen.lines or seen.outbound or seen.exception or seen.place or seen.dropped):
        return b""
    lines = [(line.at, line.level, line.logger, line.text) for line in seen.lines]
    outbound = [(round(one.start - seen.began, 6), *one[1:]) for one in seen.outbound]
    kept = Notes(seen.place, seen.exception, lines, outbound, seen.dropped)
    try:
        return msgspec.json.encode(kept)
    except UnicodeEncodeError:
        # Lone surrogates, which an author may log.
        return json.dumps(msgspec.to_builtins(kept)).encode("ascii")


def _sender_of(request: Sequence[Piece] | None) -> str:
    with contextlib.suppress(ValueError, msgspec.MsgspecError, RecursionError):
        sender = json.loads(bytes(split_object(b"".join(request or ())).get("sender_id", b"null")))
        return sender if isinstance(sender, str) else ""
    return ""


def _error_id_of(reply: bytes | None) -> str:
    if reply is None or b'"error_id"' not in reply:
        return ""
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        return str(json.loads(reply).get("error_id", ""))
    return ""
