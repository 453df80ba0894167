"""The folder of recorded calls: one file for each, a file for each domain, the oldest removed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections import deque
from datetime import datetime, timezone
from pathlib import Path

import msgspec

# Of names of actions and requests: what stands in names of files on every system. Not `\w`, which takes letters of
# several bytes, and a name may have 255 of them.
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
# After how many calls the folder is listed, at least: other workers write into it as well.
_LOOK_EVERY = 50
# Digests of domains whose file is known: engines send the domain once and then its digest.
_DIGESTS = 256
# How much older than the oldest call a domain has to be, in seconds: nobody removes what is just being used.
_LENIENCE = 60.0
# How long a domain counts as used without its file's time being set again, in seconds; much less than that.
_USED = 20.0


class RecordingFiles:
    """Writes the files of one worker. ``limit`` is how many calls are kept in the folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = str(folder)
        self._limit = limit
        self._pid = os.getpid()
        self._number = 0
        self._domain_files: dict[str, str] = {}
        # When the time of each file was set, by a clock that only goes on.
        self._domains_in_use: dict[str, float] = {}
        self._known = deque[str]()
        self._look_in = 0

    def write_call(self, at: float, action: str, request_id: str, content: bytes) -> None:
        """Write a call, whole or not at all; the oldest one makes room, if there are as many as are kept.

        ``at`` is when it ended, in seconds since 1970.

        Raises:
            OSError: the disk refuses.
        """
        self._number += 1
        moment = datetime.fromtimestamp(at, timezone.utc)
        what = _UNSAFE.sub("_", f"{action[:80]}-{request_id[:40]}")
        name = f"{moment:%Y%m%dT%H%M%S%f}-{self._pid}-{self._number}-{what}.json"
        self._look_in -= 1
        if self._look_in <= 0:
            self._look()
        draft = f"{self._folder}/.{self._pid}.new"
        if len(self._known) >= self._limit:
            self._take_oldest(draft)
        self._write(draft, f"{self._folder}/{name}", content)
        self._known.append(name)

    def keep_domain(self, domain: bytes, digest: str) -> str:
        """Write a domain once for all calls that came with it; return its file's name. ``digest`` is the engine's.

        Raises:
            OSError: the disk refuses.
        """
        name = f"domains/{hashlib.sha256(domain).hexdigest()[:16]}.json"
        file = f"{self._folder}/{name}"
        if not self.use_domain(name):
            os.makedirs(f"{self._folder}/domains", exist_ok=True)
            self._write(f"{file}.{self._pid}.new", file, domain)
            self._domains_in_use[name] = time.monotonic()
        if digest:
            if len(self._domain_files) >= _DIGESTS:
                self._domain_files.clear()
            self._domain_files[digest] = name
        return name

    def domain_of(self, digest: str) -> str | None:
        """Return the file of the domain that came with this digest, if this worker has seen it come."""
        name = self._domain_files.get(digest)
        return name if name is not None and self.use_domain(name) else None

    def use_domain(self, name: str) -> bool:
        """Keep a domain's file from being removed for as long as a call needs; tell whether it is there."""
        now = time.monotonic()
        if now - self._domains_in_use.get(name, -_USED) < _USED:
            return True
        try:
            os.utime(f"{self._folder}/{name}")
        except FileNotFoundError:
            return False
        self._domains_in_use[name] = now
        return True

    def _write(self, draft: str, file: str, content: bytes) -> None:
        """Write by a draft. What stands in one that exists is overwritten, which is half the work of a new file."""
        try:
            target = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                _write_all(target, content)
                os.ftruncate(target, len(content))
            finally:
                os.close(target)
            # pathlib and checks would take as long as the disk: this is done for every call.
            os.replace(draft, file)
        except OSError:
            _remove(draft)
            raise

    def _look(self) -> None:
        """Read again which calls there are, as others write as well, and remove what is too much."""
        os.makedirs(self._folder, exist_ok=True)
        self._known = deque(sorted(entry for entry in os.listdir(self._folder) if is_recording(entry)))
        self._look_in = max(_LOOK_EVERY, self._limit // 4)
        while len(self._known) > self._limit:
            _remove(f"{self._folder}/{self._known.popleft()}")
        self._forget_old(self._known)

    def _take_oldest(self, draft: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            # Another worker may have been faster.
            os.replace(f"{self._folder}/{self._known.popleft()}", draft)

    def _forget_old(self, names: deque[str]) -> None:
        """Remove domains, and what a worker that was killed left, of before the oldest call that is kept."""
        self._domains_in_use.clear()
        with contextlib.suppress(FileNotFoundError):
            oldest = os.stat(f"{self._folder}/{names[0]}").st_mtime if names else time.time()
            folder = Path(self._folder)
            for file in [
                *folder.glob("domains/*.json"),
                *folder.glob("backlog-*.jsonl"),
                *folder.glob(".backlog-*.spare"),
            ]:
                if file.stat().st_mtime < oldest - _LENIENCE:
                    file.unlink(missing_ok=True)


def is_recording(name: str) -> bool:
    """Tell whether a file of such a folder is a recorded call; drafts begin with a dot."""
    return name.endswith(".json") and not name.startswith(".")


def _write_all(target: int, content: bytes) -> None:
    written = os.write(target, content)
    while written < len(content):
        # A disk that becomes full takes a part and refuses the next one.
        written += os.write(target, memoryview(content)[written:])


def _remove(file: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)


def formatted(text: bytes) -> bytes:
    """Return JSON as people read it. Raises :class:`ValueError` if it is none."""
    try:
        return msgspec.json.format(text, indent=1)
    except msgspec.MsgspecError:
        # NaN, which engines send.
        return json.dumps(json.loads(text), indent=1).encode()
