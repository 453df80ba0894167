"""Something that many wait for and one fetches."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from actions.errors import BackendError, OutcomeUnknownError, UnavailableError

T = TypeVar("T")


class Shared(Generic[T]):
    """Fetches a value for whoever needs it: one caller does so, the others wait and share what comes of it.

    A failure is shared too: credentials that are refused must not be tried by each of them, which locks accounts.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], is_fresh: Callable[[T], bool]) -> None:
        self.value: T | None = None
        self._fetch = fetch
        self._is_fresh = is_fresh
        self._fetching = asyncio.Lock()
        # How many fetches have ended, and how the last one failed.
        self._fetches = 0
        self._failure: BackendError | None = None

    async def get(self) -> T:
        """Return the value, if it is fresh, or what a fetch gives; raises the `BackendError` that the fetch raised.

        An outcome that is unknown is raised as `UnavailableError`: to fetch once too often does no harm.
        """
        fetches = self._fetches
        if (value := self._fresh()) is not None:
            return value
        async with self._fetching:
            if (value := self._fresh()) is not None:
                return value
            if self._failure is None or self._fetches == fetches:
                await self._try()
            if self._failure is not None:
                # A copy: the traceback of an error that is raised again and again grows.
                raise copy.copy(self._failure)
            if self.value is None:
                raise AssertionError("a fetch without a failure has a value")
            return self.value

    def _fresh(self) -> T | None:
        return self.value if self.value is not None and self._is_fresh(self.value) else None

    async def _try(self) -> None:
        self._failure = None
        try:
            self.value = await self._fetch()
        except OutcomeUnknownError as exc:
            self._failure = UnavailableError(str(exc))
        except BackendError as exc:
            self._failure = exc
        self._fetches += 1
