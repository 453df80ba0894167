"""The domains that calls came with, each in a file of its own, once for all calls and workers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

# The newest ones are kept: a server has a few assistants, and one more of each after a training.
_MOST = 20
# How long a domain counts as used without its file's time being set again, in seconds.
_USED = 20.0
_DIGESTS = 256


class KeptDomains:
    """The files of a folder, as one process has them: a ``DomainKeeper``."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._in_use: dict[str, float] = {}
        self._digests: dict[str, str] = {}

    def use_domain(self, name: str) -> bool:
        """Keep a domain for as long as a call needs; tell whether it is there."""
        now = time.monotonic()
        if now - self._in_use.get(name, -_USED) < _USED:
            return True
        try:
            os.utime(f"{self._folder}/{name}")
        except FileNotFoundError:
            self._in_use.pop(name, None)
            return False
        self._in_use[name] = now
        return True

    def keep_domain(self, domain: bytes, digest: str) -> str:
        """Write a domain down once, and the engine's digest of it; return its name. Raises `OSError`."""
        name = f"{hashlib.sha256(domain).hexdigest()[:16]}.json"
        if not self.use_domain(name):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            self._write(name, domain)
            self._in_use[name] = time.monotonic()
            self._forget()
        if digest and self._digests.get(digest) != name:
            while len(self._digests) >= _DIGESTS:
                del self._digests[next(iter(self._digests))]
            self._digests[digest] = name
            # Engines send a domain once, and its digest with every call after that, to any worker.
            self._write(_digest_name(digest), name.encode())
        return name

    def domain_of(self, digest: str) -> str | None:
        """Return the name of the domain that came with this digest, whichever worker has seen it come."""
        name = self._digests.get(digest)
        if name is None:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                name = Path(self._folder, _digest_name(digest)).read_text(encoding="utf-8")
                self._digests[digest] = name
        return name if name is not None and self.use_domain(name) else None

    def read(self, name: str) -> bytes | None:
        """Return a domain; None if it is not kept any more."""
        # The name comes from a file, and names no other one.
        if os.path.basename(name) != name:
            return None
        try:
            return Path(self._folder, name).read_bytes()
        except OSError:
            return None

    def _write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        draft = f"{self._folder}/.{os.getpid()}.new"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as target:
            target.write(content)
        os.replace(draft, f"{self._folder}/{name}")

    def _forget(self) -> None:
        for ending, most in ((".json", _MOST), (".digest", _DIGESTS)):
            with contextlib.suppress(FileNotFoundError):
                files = [entry for entry in os.scandir(self._folder) if entry.name.endswith(ending)]
                files.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in files[:-most]:
                    os.unlink(entry.path)


def _digest_name(digest: str) -> str:
    return f"{hashlib.sha256(digest.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.digest"
