"""How many calls run at once: of all actions together, and of each one that has a limit of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from action_server.deadlines import timeout_at
from action_server.errors import SaturatedError


@dataclass(slots=True)
class Gate:
    """Lets ``limit`` in at once; the others wait in order."""

    limit: int
    inside: int = 0
    # In order; a dict, since who gives up leaves from the middle.
    waiting: dict[asyncio.Future[None], None] = field(default_factory=dict)

    def try_acquire(self) -> bool:
        """Take a place if there is one at once."""
        if self.inside < self.limit and not self.waiting:
            self.inside += 1
            return True
        return False

    async def acquire(self, queue_limit: int, timeout: float, action: str, name: str) -> None:
        """Wait for a place."""
        if len(self.waiting) >= queue_limit:
            raise SaturatedError(action, name, timeout)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.waiting[turn] = None
        try:
            # Not wait_for, which until Python 3.12 loses a cancellation that comes together with the turn.
            async with timeout_at(loop.time() + timeout):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                # The turn came in the same moment: it goes to the next one.
                self.release()
            else:
                # A place that became free since it gave up may have passed over it, and taken it out.
                self.waiting.pop(turn, None)
            if isinstance(exc, asyncio.TimeoutError):
                raise SaturatedError(action, name, timeout) from None
            raise

    def release(self) -> None:
        """Hand the place to whoever waits longest, or free it."""
        while self.waiting:
            turn = next(iter(self.waiting))
            del self.waiting[turn]
            if not turn.done():
                turn.set_result(None)
                return
        self.inside -= 1


class Admission:
    """Bounds the calls of one worker.

    ``max_calls`` run at once, ``max_queue`` more wait for at most ``queue_timeout`` seconds; whoever comes after that
    is refused, and told to come back.
    """

    def __init__(self, max_calls: int, max_queue: int, queue_timeout: float) -> None:
        # What all calls go through; whoever takes a place here gives it back.
        self.gate = Gate(max_calls)
        self._of_action: dict[str, Gate] = {}
        self._max_queue = max_queue
        self._queue_timeout = queue_timeout

    @property
    def running(self) -> int:
        """How many calls are running."""
        return self.gate.inside

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        # A list, made at once: metrics ask from a thread of their own.
        return len(self.gate.waiting) + sum(len(gate.waiting) for gate in list(self._of_action.values()))

    @property
    def is_saturated(self) -> bool:
        """Whether the next call would be refused."""
        return self.gate.inside >= self.gate.limit and len(self.gate.waiting) >= self._max_queue

    def permit(self, action: str, limit: int | None = None) -> _Permit:
        """Return what holds a place for an ``async with`` block; ``limit`` is the action's own.

        Raises:
            SaturatedError: there is no place, and none became free in time.
        """
        if limit is None:
            return _Permit(self, action, (self.gate,))
        # The action's own gate first: who waits there takes no place from other actions.
        return _Permit(self, action, (self._of_action.setdefault(action, Gate(limit)), self.gate))

    async def wait(self, gate: Gate, action: str) -> None:
        """Wait for a place behind one gate."""
        name = "max_calls" if gate is self.gate else f"actions: {action}: max_calls"
        await gate.acquire(self._max_queue, self._queue_timeout, action, name)


class _Permit:
    """A place for one call, from the beginning of a block to its end."""

    __slots__ = ("_acquired", "_action", "_admission", "_gates")

    def __init__(self, admission: Admission, action: str, gates: tuple[Gate, ...]) -> None:
        self._admission = admission
        self._action = action
        self._gates = gates
        self._acquired = 0

    def try_acquire(self) -> bool:
        """Take the place if nobody has to be waited for; :meth:`release` gives it back."""
        for gate in self._gates:
            if not gate.try_acquire():
                self.release()
                return False
            self._acquired += 1
        return True

    async def __aenter__(self) -> None:
        try:
            for gate in self._gates:
                if not gate.try_acquire():
                    await self._admission.wait(gate, self._action)
                self._acquired += 1
        except BaseException:
            self.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give back what was taken."""
        for gate in self._gates[: self._acquired][::-1]:
            gate.release()
        self._acquired = 0
