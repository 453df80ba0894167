"""How many bytes of request bodies a worker holds at once, however many clients send them."""

from __future__ import annotations

import threading

from action_server.serving.http.refusals import client_gone_error, too_many_bytes_error

# Of each body so much is not counted: calls of that size are what --max-calls and the connections limit.
UNCOUNTED = 64 * 1024


class ByteBudget:
    """The bytes of all bodies of a worker, ``limit`` of them at most. May be used from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.used = 0
        # The most at once since a rest was noted, and whether any were counted since somebody asked.
        self._most = 0
        self._was_busy = False

    def take(self, size: int) -> None:
        """Count bytes. Raises RequestError, a 503, and counts nothing if there are too many."""
        with self._lock:
            if self.used + size > self._limit:
                raise too_many_bytes_error(self._limit)
            self.used += size
            self._was_busy = True
            if self.used > self._most:
                self._most = self.used

    def give_back(self, size: int) -> None:
        """Count no longer what was taken."""
        with self._lock:
            self.used -= size

    def has_held(self, size: int) -> bool:
        """Tell whether it has held so many bytes at once since the last rest."""
        return self._most >= size

    def begins_rest(self, size: int) -> bool:
        """Tell, once, that it holds none and counted none since this was asked last, after so many at once."""
        with self._lock:
            rests = not self._was_busy and self.used == 0 and self._most >= size
            self._was_busy = False
            if rests:
                self._most = 0
            return rests


class Share:
    """What one request has of the budget, from its first byte to its answer. May be used from any thread.

    A body is inflated in a thread that nobody can stop: it may go on for a step when the request is already over.
    """

    __slots__ = ("_budget", "_is_over", "_lock", "_size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._size = 0
        self._is_over = False

    def take(self, size: int) -> None:
        """Count bytes of this request.

        Raises RequestError: a 503, if all requests together have too many; a 499, if the request is over.
        """
        with self._lock:
            if self._is_over:
                raise client_gone_error()
            before = self._size
            after = before + size
            if after > UNCOUNTED:
                self._budget.take(size if before >= UNCOUNTED else after - UNCOUNTED)
            self._size = after

    def release(self) -> None:
        """Give everything back; from now on there is nothing to be taken."""
        with self._lock:
            self._is_over = True
            if self._size > UNCOUNTED:
                self._budget.give_back(self._size - UNCOUNTED)
            self._size = 0
