"""The domains that the workers of one server share: what one of them was sent, none of them asks for again.

Files in the directory of the supervisor, one for each digest. Reading one is tried before an engine is asked for a
domain, and at no other time. Whatever goes wrong with a file, there is none: then the engine is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

_SUFFIX = ".json"


class DomainFiles:
    """At most ``limit`` domains in ``directory``; the oldest goes first."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit

    def write(self, digest: str, domain: bytes) -> None:
        """Give a domain, JSON in ASCII or UTF-8, to all workers."""
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._directory)
            try:
                with open(handle, "wb") as file:
                    file.write(domain)
                # Others see all of it or nothing.
                os.replace(name, self._file(digest))
            except OSError:
                os.unlink(name)
                raise
            self._drop_oldest()

    def read(self, digest: str) -> dict[str, Any] | None:
        """Return a domain of this digest that any worker was sent."""
        try:
            domain = json.loads(self._file(digest).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return domain if isinstance(domain, dict) else None

    def _file(self, digest: str) -> Path:
        # A digest is any text a client sends, and the name of a file is not.
        name = hashlib.sha256(digest.encode("utf-8", "surrogatepass")).hexdigest()
        return self._directory / f"{name}{_SUFFIX}"

    def _drop_oldest(self) -> None:
        files = sorted(self._directory.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[: -self._limit]:
            file.unlink(missing_ok=True)
