"""The gate for calls, beside a model of it: calls come, leave, wait too long and are cancelled, in any order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from action_server.errors import SaturatedError
from action_server.runtime.admission import Admission

MAX_CALLS, MAX_QUEUE, QUEUE_TIMEOUT = 2, 2, 10.0
LIMITS = {"plain": None, "narrow": 1, "other": 1}


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until somebody moves it."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def turn(self) -> None:
        """Run what is ready, once."""
        self.call_soon(self.stop)
        self.run_forever()


@dataclass(eq=False)
class Call:
    action: str
    door: asyncio.Event
    task: asyncio.Task[None]
    is_inside: bool = False


class Gate(RuleBasedStateMachine):
    """Between two turns of the loop several things may happen: that is where a place is lost or given twice."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clockwork()
        self.admission = Admission(MAX_CALLS, MAX_QUEUE, QUEUE_TIMEOUT)
        self.calls: list[Call] = []
        self.unexpected: list[BaseException] = []

    @rule(action=st.sampled_from(sorted(LIMITS)))
    def arrive(self, action: str) -> None:
        door = asyncio.Event()
        call = Call(action, door, self.loop.create_task(asyncio.sleep(0)))
        call.task = self.loop.create_task(self._run(call))
        self.calls.append(call)

    async def _run(self, call: Call) -> None:
        try:
            async with self.admission.permit(call.action, LIMITS[call.action]):
                call.is_inside = True
                try:
                    await call.door.wait()
                finally:
                    call.is_inside = False
        except SaturatedError:
            pass
        except Exception as exc:  # noqa: BLE001 - whatever else comes is what this test looks for
            self.unexpected.append(exc)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.calls)).door.set()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.calls)).task.cancel()

    @rule(seconds=st.sampled_from([1.0, 5.0, QUEUE_TIMEOUT]))
    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds

    @rule()
    def turn_once(self) -> None:
        self.loop.turn()

    @rule()
    def come_to_rest(self) -> None:
        """Nobody waits while there is a place for them, and every place is held by a call that is inside."""
        self._settle()
        inside = [call for call in self.calls if call.is_inside]

        assert self.admission.running == len(inside)
        for action, limit in LIMITS.items():
            of_action = [call for call in self.calls if call.action == action and not call.task.done()]
            running = sum(call.is_inside for call in of_action)
            is_full = len(inside) >= MAX_CALLS or (limit is not None and running >= limit)
            assert is_full or running == len(of_action)

    @invariant()
    def no_limit_is_passed(self) -> None:
        """Not even between two turns; and a call ends as itself, as refused or as cancelled."""
        assert self.unexpected == []
        assert sum(call.is_inside for call in self.calls) <= MAX_CALLS
        assert len(self.admission.gate.waiting) <= MAX_QUEUE
        for action, limit in LIMITS.items():
            running = sum(call.is_inside for call in self.calls if call.action == action)
            assert limit is None or running <= limit

    def _settle(self) -> None:
        for _ in range(20):
            self.loop.turn()

    def teardown(self) -> None:
        """When all have gone, every place is free and nobody waits."""
        try:
            for call in self.calls:
                call.door.set()
            # Whoever waits comes in, one after the other.
            for _ in range(len(self.calls) + 1):
                self._settle()
            assert all(call.task.done() for call in self.calls)
            assert (self.admission.running, self.admission.waiting) == (0, 0)
            assert not self.admission.is_saturated
        finally:
            self.loop.close()


TestGate = Gate.TestCase
TestGate.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
