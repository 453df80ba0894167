"""Writes calls down, each as one file that can be replayed: request, reply, face, versions and time.

A call only puts what it has into a queue. A thread masks and writes; when the disk is slow or full the queue's bound is
reached, and calls are not recorded: that is counted, and said once for each reason.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import queue
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import msgspec

from action_server.telemetry.durations import milliseconds
from action_server.telemetry.masking import Privacy, Rule, mask_plain
from action_server.telemetry.record_settings import RecordSettings

logger = logging.getLogger(__name__)

# Calls that wait to be written, and the largest of them; in numbers and bytes.
_WAITING = 256
_LARGEST = 1024 * 1024
# How often a writer looks whether there are too many files, in files, and how long it may take at the end, in seconds.
_LOOK_EVERY = 50
_LAST_WORDS = 5.0
# Told of each outcome: written, queue, size or disk.
Count = Callable[[str], None]
Inflate = Callable[[bytes], Awaitable[bytes]]


class Recording:
    """One call that is to be recorded, while it runs."""

    __slots__ = ("body", "face", "request_id", "started")

    def __init__(self, face: str, request_id: str) -> None:
        self.face = face
        self.request_id = request_id
        self.body = b""
        self.started = time.perf_counter()

    def keeping(self, inflate: Inflate | None) -> Inflate:
        """Return what inflates a body, if it has to be, and takes note of it."""

        async def keep(raw: bytes) -> bytes:
            self.body = plain = raw if inflate is None else await inflate(raw)
            return plain

        return keep


class Recorder:
    """Records the calls of one worker; to be closed."""

    def __init__(
        self, settings: RecordSettings, rules: Collection[Rule] = (), count: Count = lambda result: None
    ) -> None:
        self._settings = settings
        self._privacy = Privacy([*rules, *(Rule(slot, "mask") for slot in settings.mask)])
        self._has_rules = bool(rules or settings.mask)
        self._count = count
        self._said: set[str] = set()
        self._queue: queue.Queue[tuple[Recording, int, bytes, float, float] | None] = queue.Queue(_WAITING)
        self._written = 0
        self._versions = {"action_server": version("action-server"), "rasa_sdk": version("rasa-sdk")}
        self._versions["python"] = platform.python_version()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, face: str, request_id: str = "") -> Recording | None:
        """Begin to record a call, if it is one of the sample."""
        # No secret depends on it.
        if self._settings.sample < 1 and random.random() >= self._settings.sample:  # noqa: S311
            return None
        return Recording(face, request_id)

    def end(self, seen: Recording, status: int, reply: bytes) -> None:
        """Hand a call over to be written; takes a few microseconds whatever the disk does."""
        if self._settings.on_error and status < 500:
            return
        if not seen.body:
            # What never became a call cannot be replayed.
            return
        if len(seen.body) + len(reply) > _LARGEST:
            self._drop("size")
            return
        try:
            self._queue.put_nowait((seen, status, reply, time.time(), time.perf_counter() - seen.started))
        except queue.Full:
            self._drop("queue")

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        try:
            self._queue.put(None, timeout=_LAST_WORDS)
        except queue.Full:
            return
        self._thread.join(_LAST_WORDS)

    def _drop(self, reason: str) -> None:
        self._count(reason)
        if reason not in self._said:
            self._said.add(reason)
            logger.warning("record.dropped", extra={"reason": reason, "see": "action_server_recordings_total"})

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._write(*item)
                self._count("written")
            except (OSError, ValueError, msgspec.MsgspecError) as exc:
                logger.debug("record.failed", extra={"problem": type(exc).__name__})
                self._drop("disk" if isinstance(exc, OSError) else "malformed")

    def _write(self, seen: Recording, status: int, reply: bytes, ended: float, seconds: float) -> None:
        folder = self._settings.folder
        folder.mkdir(parents=True, exist_ok=True)
        request, reply, action = self._prepare(seen.body, reply)
        moment = datetime.fromtimestamp(ended, timezone.utc)
        head = {
            "recorded": moment.isoformat(),
            "face": seen.face,
            "request_id": seen.request_id,
            "versions": self._versions,
            "milliseconds": milliseconds(seconds),
            "status": status,
        }
        self._written += 1
        name = re.sub(r"[^\w.-]", "_", f"{action[:80]}-{seen.request_id[:40]}")
        file = folder / f"{moment:%Y%m%dT%H%M%S%f}-{os.getpid()}-{self._written}-{name}.json"
        text = b'%b,"request":%b,"reply":%b}' % (json.dumps(head).encode()[:-1], request, reply or b"null")
        _write_atomically(file, msgspec.json.format(text, indent=1))
        if self._written % _LOOK_EVERY == 1:
            self._remove_oldest()

    def _prepare(self, body: bytes, reply: bytes) -> tuple[bytes, bytes, str]:
        """Return the request with its domain in a file of its own, and the reply, both masked; and the action."""
        parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        action = msgspec.json.decode(parts["next_action"]) if "next_action" in parts else ""
        domain = bytes(parts.pop("domain", b"null"))
        if len(domain) > len(b"null"):
            parts["domain_file"] = msgspec.Raw(json.dumps(self._keep_domain(domain)).encode())
        request = msgspec.json.encode(parts)
        if not self._has_rules:
            return request, reply, str(action)
        call = json.loads(request)
        tracker = call.get("tracker") or {}
        masker = self._privacy.values_of(tracker.get("slots") or {}, tracker.get("events") or ())
        if masker is None:
            return request, reply, str(action)
        answered = json.loads(reply) if reply else None
        for event in (answered or {}).get("events") or ():
            if isinstance(event, dict) and event.get("event") == "slot":
                masker.also(str(event.get("name")), event.get("value"))
        masked = (mask_plain(value, masker) for value in (call, answered))
        return *(json.dumps(value).encode() for value in masked), str(action)  # type: ignore[return-value]

    def _keep_domain(self, domain: bytes) -> str:
        """Write a domain once for all calls that came with it; return its file's name."""
        name = f"domains/{hashlib.sha256(domain).hexdigest()[:16]}.json"
        file = self._settings.folder / name
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            _write_atomically(file, domain)
        return name

    def _remove_oldest(self) -> None:
        files = sorted(self._settings.folder.glob("*.json"))
        for file in files[: -self._settings.files]:
            # Another worker may have been faster.
            file.unlink(missing_ok=True)


def open_recorder(
    stack: AsyncExitStack, settings: RecordSettings | None, rules: Collection[Rule], count: Count
) -> Recorder | None:
    """Return what records, closed with the stack; None if nothing is to be recorded."""
    if settings is None:
        return None
    recorder = Recorder(settings, rules, count)
    stack.callback(recorder.close)
    return recorder


def _write_atomically(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
