"""Counts functions as they are entered, which is what work costs without a clock."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from types import FrameType


class Entered:
    """How often functions of Python were entered in a block of this thread, in all and by name."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return self.by_name.total()

    def __enter__(self) -> Entered:
        # A collection calls finalizers of what others left; to make one before would take longer than most tests.
        gc.disable()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self.by_name[frame.f_code.co_name] += 1


def functions_of(run: Callable[[], object]) -> int:
    """Return how many functions something enters."""
    with Entered() as entered:
        run()
    return entered.count


async def functions_of_async(run: Callable[[], Awaitable[object]]) -> int:
    """Return how many functions are entered until it is done, those of the loop's other tasks included."""
    with Entered() as entered:
        await run()
    return entered.count
