"""A `RemoteCalendar` in a folder that processes share: one file for each half hour, linked or refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from actions.errors import SlotTakenError
from actions.scheduling.models import Slot
from actions.scheduling.remote import Entry

_HALF_HOUR = timedelta(minutes=30)


class FileCalendar:
    """Everything is done in steps; `step` is called before each of them, and may be the process's last call."""

    def __init__(self, folder: Path, step: Callable[..., Any] = lambda: None) -> None:
        self._folder = folder
        self._step = step

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return those of which there is no file."""
        return [slot for slot in candidates if not any(file.exists() for file in self.files(slot))]

    async def write(self, entry: Entry) -> None:
        """Link a file with the uid for each half hour, in order of time."""
        draft = self._folder / f"{entry.uid}.{os.getpid()}.draft"
        draft.write_text(entry.uid, encoding="utf-8")
        for file in self.files(entry.slot):
            self._step()
            try:
                file.hardlink_to(draft)
            except FileExistsError:
                if uid_in(file) != entry.uid:
                    await self.remove(entry)
                    raise SlotTakenError(entry.slot) from None
        draft.unlink()

    async def find(self, entry: Entry) -> bool:
        """Return whether all files hold the uid."""
        self._step()
        return all(uid_in(file) == entry.uid for file in self.files(entry.slot))

    async def remove(self, entry: Entry) -> None:
        """Remove the files that hold the uid."""
        for file in self.files(entry.slot):
            self._step()
            if uid_in(file) == entry.uid:
                file.unlink(missing_ok=True)

    async def ping(self) -> None:
        """Return."""

    def files(self, slot: Slot) -> Iterator[Path]:
        """Return the files of a slot."""
        start = slot.start
        while start < slot.end:
            yield self._folder / f"{slot.resource}.{start:%Y%m%dT%H%M}"
            start += _HALF_HOUR


class Folder:
    """The folder as people use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calendar = FileCalendar(folder)

    async def open(self) -> FileCalendar:
        """Return one more calendar on the folder."""
        return FileCalendar(self._folder)

    async def occupy(self, slot: Slot) -> None:
        """Give the time to somebody else."""
        for file in self._calendar.files(slot):
            file.write_text("somebody else", encoding="utf-8")

    async def delete(self, entry: Entry) -> None:
        """Delete an entry, as people do."""
        await self._calendar.remove(entry)

    async def leave_half(self, entry: Entry) -> None:
        """Leave what a writer leaves who is killed half way."""
        next(self._calendar.files(entry.slot)).write_text(entry.uid, encoding="utf-8")

    async def holders(self, slot: Slot) -> set[str]:
        """Return the uids in the files of the slot."""
        return {uid for file in self._calendar.files(slot) if (uid := uid_in(file))}


def uid_in(file: Path) -> str | None:
    """Return the uid in a file, None if there is no such file."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
