"""Opens a project's actions once, on a loop of their own, and calls them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from action_server.assembly import Assembly, assemble, prepare
from action_server.errors import ActionNotFoundError, SettingsError
from action_server.flows.player.request_body import ENGINE_VERSION
from action_server.flows.player.state import State
from action_server.nearest import did_you_mean
from action_server.runtime.loader import LoadedPackage, prefer
from action_server.runtime.registry import RegisteredAction
from action_server.source import one_line, place_of, place_of_failure
from action_server.testing import answers
from action_server.testing import requirements as must
from action_server.testing.background_loop import BackgroundLoop
from action_server.testing.clock import FixedClock
from action_server.testing.face import Face, FaceReply
from action_server.testing.faces import face_named
from action_server.testing.replaced_services import ReplacedServices
from action_server.testing.requirements import Violation
from action_server.testing.result import CallAbout, CallResult, result_of
from action_server.testing.tested_project import TestedProject, fresh_database
from action_server.testing.trackers import Turn, apply_reply, call_of, take_turn


class Calling:
    """The actions of a project, opened with the first call; to be closed."""

    def __init__(self, project: TestedProject, record: Path | None = None) -> None:
        self.project = project
        self._record = record
        self.loop = BackgroundLoop()
        self.replaced = ReplacedServices()
        self.clock: FixedClock | None = None
        self.has_lifespan = True
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._closing = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._assembly: Assembly | None = None
        self._faces: dict[str, Face] = {}
        # What the last failing call of a conversation raised, for faces that do not carry it.
        self._failures: dict[str, BaseException] = {}

    def now(self) -> float:
        """Return the time of the tests, in seconds since 1970."""
        return self.clock.time() if self.clock is not None else time.time()

    def start(self, action: str, state: State, **given: Any) -> Future[CallResult]:
        """Start a call; the outcome is the future's. What is given is that of :meth:`ActionClient.call`.

        Raises:
            TypeError: something is given that a call has not; with the name that may have been meant.
        """
        known = inspect.signature(self._call).parameters
        for name in given:
            if name not in known:
                raise TypeError(f"a call has no argument {name!r}{did_you_mean(name, known)}")
        return self.loop.start(self._call(action, state, **given))

    async def open(self) -> Assembly:
        """Return the open actions.

        Raises:
            StartupError: an action or a service cannot be made.
        """
        async with self._opening:
            if self._assembly is None:
                ready: asyncio.Future[Assembly] = asyncio.get_running_loop().create_future()
                self._holder = asyncio.create_task(self._hold(ready))
                self._assembly = await ready
        return self._assembly

    async def prepare_call(
        self, action: str, state: State, turn: Turn, version: str = ENGINE_VERSION
    ) -> tuple[Assembly, dict[str, Any], CallAbout]:
        """Bring a conversation to a call; return the request and what its result is about."""
        assembly = await self.open()
        take_turn(self.project, state, turn)
        found = self._find(assembly, action)
        call = call_of(action, state, self.project, version)
        return assembly, call, CallAbout(action, _place_of(found), partial(self._violations, call))

    def close(self) -> None:
        """Close services and everything else that was opened."""
        self.loop.run(self._close())
        self.loop.close()

    async def _close(self) -> None:
        self._closing.set()
        if self._holder is not None:
            await self._holder

    async def _hold(self, ready: asyncio.Future[Assembly]) -> None:
        """Open and close in one task: services may keep something in its context."""
        try:
            async with self._stack as stack:
                ready.set_result(await self._open(stack))
                await self._closing.wait()
        except Exception as exc:
            if ready.done():
                raise
            ready.set_exception(exc)

    async def _open(self, stack: AsyncExitStack) -> Assembly:
        folder = stack.enter_context(TemporaryDirectory(prefix="action-server-test-", ignore_cleanup_errors=True))
        own = {**fresh_database(folder), "metrics": False, "watchdog": 0.0}
        recording = {"record": self._record, "record_sample": 1.0, "record_on_error": False}
        settings = self.project.settings.model_copy(update={**own, **recording})
        # Again: another project may have been opened since this one was read.
        prefer(self.project.folder, settings.actions)
        prepared = prepare(settings)
        package = prepared.package
        middlewares = (self._note_failure, self.replaced.middleware, *package.middlewares)
        lifespan = package.lifespan if self.has_lifespan else None
        changed: LoadedPackage = replace(package, middlewares=middlewares, lifespan=lifespan)
        opened = assemble(settings, prepared=replace(prepared, package=changed, on_one_thread=False))
        return await stack.enter_async_context(opened)

    async def _note_failure(self, call: Any, run: Any) -> Any:
        try:
            return await run(call)
        except Exception as exc:
            self._failures[call.sender_id] = exc
            raise

    async def _call(
        self,
        action: str,
        state: State,
        *,
        slots: Mapping[str, Any] | None = None,
        said: str | None = None,
        intent: str = "",
        entities: Sequence[Mapping[str, Any]] = (),
        channel: str | None = None,
        stack: Sequence[Mapping[str, Any]] | None = None,
        active_form: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        face: str = "webhook",
        version: str = ENGINE_VERSION,
        raises: bool = True,
        keeps: bool = False,
    ) -> CallResult:
        turn = Turn(slots or {}, said, intent, entities, channel, stack, active_form, metadata)
        _, call, about = await self.prepare_call(action, state, turn, version)
        sent_by = await self._face(face)
        with self.clock.seen_by(self.project.settings.actions) if self.clock is not None else nullcontext():
            reply = await sent_by.send(call)
        if reply.status >= 500:
            raised = self._raised(reply, state.sender_id)
            if raises:
                raise raised
            about = replace(about, raised=_told(raised))
        if reply.status == 200 and keeps:
            apply_reply(self.project, state, action, reply.body)
        return result_of(reply.status, reply.body, reply.milliseconds, about)

    async def _face(self, name: str) -> Face:
        make = face_named(name)
        if name not in self._faces:
            self._faces[name] = make(await self.open(), self._stack)
        return self._faces[name]

    def _raised(self, reply: FaceReply, sender: str) -> BaseException:
        error = reply.error or self._failures.pop(sender, None)
        if error is None:
            return AssertionError(f"the call failed with {reply.status}: {reply.body}")
        # What the author's code raised, with its traceback, says most; a timeout has no such cause.
        cause = error.__cause__
        return cause if isinstance(cause, Exception) and type(cause).__name__ != "DeadlinePassed" else error

    def _find(self, assembly: Assembly, action: str) -> RegisteredAction:
        try:
            return assembly.executor.registry.get(action)
        except ActionNotFoundError:
            names = [known.name for known in assembly.executor.registry]
            hint = did_you_mean(action, names) or f"; there are {', '.join(sorted(names)[:10]) or 'none'}"
            raise SettingsError(f"action {action!r}", f"is not registered{hint}") from None

    def _violations(self, call: Mapping[str, Any], reply: Mapping[str, Any]) -> list[Violation]:
        """Check an answer against the contract. An action that runs once is asked once more, which is safe."""
        action = str(call["next_action"])
        failure = self._failures.get(str(call["sender_id"]))
        raised = str(failure.__cause__) if failure is not None and failure.__cause__ is not None else ""
        answered = answers.Answered(
            action, reply["status"], reply["body"], call, self.project.domain, call["version"], raised
        )
        return [*answers.violations(answered), *self.loop.run(self._not_again(call, reply))]

    async def _not_again(self, call: Mapping[str, Any], reply: Mapping[str, Any]) -> list[Violation]:
        assembly = await self.open()
        action = assembly.executor.registry.get(str(call["next_action"]))
        options = assembly.settings.options.of(action.name, action.run)
        if not options.idempotent or reply["status"] != 200:
            return []
        again = await (await self._face("webhook")).send(call)
        if (again.status, again.body) == (reply["status"], reply["body"]):
            return []
        return [Violation(must.SAME_AGAIN, "the second answer is another one", action.name)]


def _told(raised: BaseException) -> str:
    place = place_of_failure(raised)
    return f"{one_line(raised)}{f' ({place})' if place else ''}"


def _place_of(action: RegisteredAction) -> str:
    """Return file and line of the code that runs: more to the point than those of its class, if it is the author's."""
    is_inherited = getattr(action.run, "__module__", "").partition(".")[0] == "rasa_sdk"
    return action.place if is_inherited else place_of(action.run)
