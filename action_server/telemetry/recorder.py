"""Writes calls down, each as one file that can be replayed: request, reply, face, versions and time.

A call only puts what it has into a list. A thread masks and writes what waits, in batches: to wake it for each call
would cost more than to write the call. While many calls come they are lines of a backlog, and files later. When the
disk is slow or full the list's bound is reached, and calls are not recorded: that is counted, and said once for each
reason.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.telemetry.known_domains import Piece
from action_server.telemetry.masking import Rule, read_rules
from action_server.telemetry.record_settings import RecordSettings
from action_server.telemetry.recorded_exchange import RecordedExchange, on_one_line, split_object
from action_server.telemetry.recording_backlog import RecordingBacklog
from action_server.telemetry.recording_files import RecordingFiles, formatted

logger = logging.getLogger(__name__)

# Calls that wait to be written, all of them and the largest of them; in numbers and bytes.
_WAITING = 1024
_WAITING_BYTES = 32 * 1024 * 1024
_LARGEST = 1024 * 1024
# From one batch to the next, in seconds, and while many calls come: each batch costs something, however few are in it.
# It ends when so many calls wait.
_PAUSE, _BUSY_PAUSE, _LONGEST_PAUSE = 0.1, 0.5, 1.0
_MANY, _MANY_BYTES = 256, 8 * 1024 * 1024
# The part of its time that the thread may compute, as it takes Python's lock from the calls.
_SHARE = 0.2
# More calls in a second than this go to the backlog, which is taken apart when there was none for so many seconds.
_BUSY, _CALM = 120, 2.0
# How long writing may take at the end, in seconds.
_LAST_WORDS = 5.0
# Told of each outcome, and of how many calls: written, queue, size, disk or malformed.
Count = Callable[[str, int], None]


class Recording:
    """One call that is to be recorded, while it runs."""

    __slots__ = ("_recorder", "body", "face", "request_id", "start", "started")

    def __init__(self, recorder: Recorder, face: str, request_id: str) -> None:
        self._recorder = recorder
        self.face = face
        self.request_id = request_id
        # What came, in which the call begins at `start`.
        self.body = b""
        self.start = 0
        self.started = time.perf_counter()

    def take(self, body: bytes | memoryview) -> None:
        """Take note of the body. A view has to be one of the end of bytes: they are kept, and not copied."""
        if isinstance(body, memoryview):
            whole = body.obj
            self.body = whole if isinstance(whole, bytes) else bytes(body)
            self.start = len(self.body) - len(body)
        else:
            self.body = body

    @property
    def request(self) -> bytes:
        """The call as it came."""
        return self.body[self.start :] if self.start else self.body

    def end(self, status: int, reply: bytes) -> None:
        """Hand the call over to be written; takes a microsecond or two whatever the disk does."""
        self._recorder.end(self, status, reply)

    def leave(self) -> None:
        """Let it be: a call without an answer cannot be compared with another one."""

    def dismiss(self) -> None:
        """Let it be."""


class _Ended(NamedTuple):
    seen: Recording
    status: int
    reply: bytes
    at: float
    seconds: float


class Recorder:
    """Records the calls of one worker; to be closed."""

    def __init__(
        self, settings: RecordSettings, rules: Collection[Rule] = (), count: Count = lambda result, calls: None
    ) -> None:
        self._settings = settings
        self._exchanges = RecordedExchange([*rules, *(Rule(slot, "mask") for slot in settings.mask)])
        self._files = RecordingFiles(settings.folder, settings.files)
        self._backlog = RecordingBacklog(settings.folder, settings.files)
        self._count = count
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._waiting: list[_Ended] = []
        self._waiting_bytes = 0
        self._busy_at = self._batch_at = 0.0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        versions = {"action_server": version("action-server"), "rasa_sdk": version("rasa-sdk")}
        versions["python"] = platform.python_version()
        self._versions = json.dumps(versions).encode()
        self._thread = threading.Thread(target=self._write_batches, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, face: str, request_id: str = "") -> Recording | None:
        """Begin to record a call, if it is one of the sample."""
        # No secret depends on it.
        if self._settings.sample < 1 and random.random() >= self._settings.sample:  # noqa: S311
            return None
        return Recording(self, face, request_id)

    def end(self, seen: Recording, status: int, reply: bytes) -> None:
        """Let a call be written, if it is one that is asked for and there is room."""
        if self._settings.on_error and status < 500:
            return
        if not seen.body:
            # What never became a call cannot be replayed.
            return
        size = len(seen.body) - seen.start + len(reply)
        if size > _LARGEST:
            self._drop("size")
            return
        ended = _Ended(seen, status, reply, time.time(), time.perf_counter() - seen.started)
        with self._lock:
            is_full = len(self._waiting) >= _WAITING or self._waiting_bytes + size > _WAITING_BYTES
            if not is_full:
                self._waiting.append(ended)
                self._waiting_bytes += size
        if is_full:
            self._drop("queue")
            return
        if not self._wake.is_set():
            self._wake.set()
        if (len(self._waiting) >= _MANY or self._waiting_bytes > _MANY_BYTES) and not self._hurry.is_set():
            self._hurry.set()

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._closing.set()
        self._wake.set()
        self._hurry.set()
        self._thread.join(_LAST_WORDS)

    def _drop(self, reason: str, calls: int = 1) -> None:
        self._count(reason, calls)
        if reason not in self._said:
            self._said.add(reason)
            logger.warning("record.dropped", extra={"reason": reason, "see": "action_server_recordings_total"})

    def _write_batches(self) -> None:
        while not self._closing.is_set() or self._waiting or self._backlog:
            if not self._backlog:
                self._wake.wait()
            self._wake.clear()
            begun = time.thread_time()
            self._write_batch(self._take())
            # The clock of the thread: a slow disk is no reason to write less often.
            rest = min((time.thread_time() - begun) / _SHARE, _LONGEST_PAUSE)
            self._closing.wait(rest)
            self._hurry.wait(max(0.0, (_BUSY_PAUSE if self._backlog else _PAUSE) - rest))
            self._hurry.clear()

    def _take(self) -> list[_Ended]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._waiting_bytes = 0
        return batch

    def _write_batch(self, batch: list[_Ended]) -> None:
        results = Counter[str]()
        now = time.monotonic()
        is_busy = len(batch) > _BUSY * max(_PAUSE, min(now - self._batch_at, _LONGEST_PAUSE))
        self._batch_at = now
        lines: list[Sequence[Piece]] = []
        for ended in batch:
            try:
                if is_busy:
                    lines.append(self._line(ended))
                else:
                    self._write_file(ended)
                    results["written"] += 1
            except Exception as exc:  # noqa: BLE001 - an odd call must not end the recording of all others
                results[_why_not(exc)] += 1
        if lines:
            try:
                self._backlog.append(lines)
                results["written"] += len(lines)
            except Exception as exc:  # noqa: BLE001 - the next batch may be taken again
                results[_why_not(exc)] += len(lines)
            self._busy_at = time.monotonic()
        elif self._backlog and (self._closing.is_set() or time.monotonic() - self._busy_at >= _CALM):
            self._unpack()
        self._tell(results)

    def _line(self, ended: _Ended) -> Sequence[Piece]:
        """Return the line of a call in pieces."""
        if self._exchanges.masks:
            request, reply, _ = self._exchanges.prepare(ended.seen.request, ended.reply, self._files)
            return self._text(ended, [on_one_line(request)], on_one_line(reply))
        request_pieces = self._exchanges.shorten(ended.seen.body, ended.seen.start, self._files)
        return self._text(ended, request_pieces, on_one_line(ended.reply))

    def _write_file(self, ended: _Ended) -> None:
        request, reply, action = self._exchanges.prepare(ended.seen.request, ended.reply, self._files)
        text = b"".join(self._text(ended, [request], reply))
        self._files.write_call(ended.at, action, ended.seen.request_id, formatted(text))

    def _tell(self, results: Counter[str]) -> None:
        written = results.pop("written", 0)
        if written:
            self._count("written", written)
        for reason, calls in results.items():
            self._drop(reason, calls)

    def _unpack(self) -> None:
        """Write the calls of one file of the backlog as files of their own."""
        try:
            for line in self._backlog.take_oldest():
                # What is no call was counted when it was put there.
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError):
                    self._unpack_line(line)
        except OSError as exc:
            # It stays where it is, and can be replayed from there.
            logger.debug("record.failed", extra={"problem": type(exc).__name__})
            self._backlog.give_up()

    def _unpack_line(self, line: bytes) -> None:
        parts = split_object(line)
        at = datetime.fromisoformat(msgspec.json.decode(parts["recorded"])).timestamp()
        if not self._exchanges.masks:
            request, _, action = self._exchanges.prepare(bytes(parts["request"]), b"", self._files)
            parts["request"] = msgspec.Raw(request)
        else:
            action = str(json.loads(bytes(parts["request"])).get("next_action"))
        request_id = msgspec.json.decode(parts["request_id"])
        self._files.write_call(at, action, request_id, formatted(msgspec.json.encode(parts)))

    def _text(self, ended: _Ended, request: Sequence[Piece], reply: bytes) -> Sequence[Piece]:
        """Return what is written of a call, in pieces: large ones are not copied."""
        second, rest = divmod(round(ended.at * 1_000_000), 1_000_000)
        head = (
            b'{"recorded":"%b.%06d+00:00","face":"%b","request_id":%b,"versions":%b,"milliseconds":%.1f,"status":%d,'
            b'"request":'
        ) % (
            *(_iso(second), rest, ended.seen.face.encode(), msgspec.json.encode(ended.seen.request_id)),
            *(self._versions, ended.seconds * 1000, ended.status),
        )
        return (head, *request, b',"reply":', reply or b"null", b"}")


def _why_not(exc: Exception) -> str:
    """Return what a call that was not written is counted as."""
    logger.debug("record.failed", extra={"problem": type(exc).__name__})
    return "disk" if isinstance(exc, OSError) else "malformed"


@lru_cache(maxsize=2)
def _iso(second: int) -> bytes:
    """Return a second as ISO 8601 has it, without its zone."""
    return f"{datetime.fromtimestamp(second, timezone.utc):%Y-%m-%dT%H:%M:%S}".encode()


def open_recorder(
    stack: AsyncExitStack, settings: RecordSettings | None, privacy: Block, count: Count
) -> Recorder | None:
    """Return what records, closed with the stack; None if nothing is to be recorded.

    Raises:
        SettingsError: a rule of privacy is wrong, or the folder cannot be used.
    """
    if settings is None:
        return None
    _check_folder(settings.folder)
    recorder = Recorder(settings, read_rules(privacy)[0], count)
    stack.callback(recorder.close)
    return recorder


def _check_folder(folder: Path) -> None:
    """Make the folder: a disk may become full later on, but what is wrong now was meant otherwise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError("record", f"{folder} cannot be a folder of recordings: {exc.strerror}") from exc
    if not os.access(folder, os.W_OK):
        raise SettingsError("record", f"{folder} cannot be written to")
