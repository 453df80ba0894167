"""The client of a test: calls actions, opens conversations and streams, and puts fakes in the place of services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from action_server.flows.player.state import State
from action_server.testing.calling import Calling
from action_server.testing.clock import FixedClock
from action_server.testing.conversation import Conversation
from action_server.testing.result import CallResult
from action_server.testing.stream import ActionStream
from action_server.testing.tested_project import read_tested_project
from action_server.testing.trackers import TrackerSource, Turn, begin, restore, take_turn

T = TypeVar("T")
RECORDINGS = "recordings"


class ActionClient:
    """Runs the actions of a project as a server does, in this process; a context manager.

    ``folder`` has the actions, endpoints.yml and the domain, ``actions`` is the package if it is another one than the
    settings say, ``domain`` its domain if that is in no usual place. Calls are written into the folder ``record``, as
    `action-server run --record` does it. The actions, and the services their package opens,
    live on an event loop of their own, from the first call on.

    Raises:
        SettingsError: the project's settings are wrong.
    """

    def __init__(
        self,
        folder: Path | str = ".",
        *,
        actions: str | None = None,
        domain: Path | None = None,
        record: Path | None = None,
    ) -> None:
        self._calling = Calling(read_tested_project(Path(folder), actions=actions, domain=domain), record)

    def __enter__(self) -> ActionClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def call(
        self,
        action: str,
        slots: Mapping[str, Any] | None = None,
        *,
        tracker: TrackerSource | None = None,
        sender: str = "",
        **turn: Any,
    ) -> CallResult:
        """Call an action in a conversation of its own and return what it did.

        ``slots`` are set before the call; ``said`` is what the user said last, with ``intent``, ``entities`` and
        ``metadata``; ``channel`` is where, ``stack`` the frames of CALM's flows, ``active_form`` the active form.
        ``tracker`` is what the conversation begins with: a file, an export, the request id of a recorded call.
        ``face`` is the way in (webhook, grpc, mcp), ``version`` the engine's.

        An action that fails raises here what it raised there; with ``raises=False`` the result has its ``error``.

        Raises:
            SettingsError: the action, a slot or the face does not exist; the nearest name is in the text.
            StartupError: an action or a service cannot be made.
        """
        state = self._state(tracker, sender)
        return await asyncio.wrap_future(self._calling.start(action, state, slots=slots, **turn))

    def call_sync(
        self,
        action: str,
        slots: Mapping[str, Any] | None = None,
        *,
        tracker: TrackerSource | None = None,
        sender: str = "",
        **turn: Any,
    ) -> CallResult:
        """Do what :meth:`call` does, and wait for it: for tests that are not async."""
        return self._calling.start(action, self._state(tracker, sender), slots=slots, **turn).result()

    def conversation(
        self,
        slots: Mapping[str, Any] | None = None,
        *,
        tracker: TrackerSource | None = None,
        sender: str = "",
        channel: str | None = None,
    ) -> Conversation:
        """Open a conversation that keeps slots and events from one call to the next."""
        state = self._state(tracker, sender)
        take_turn(self._calling.project, state, Turn(slots or {}, channel=channel))
        return Conversation(self._calling, state)

    @asynccontextmanager
    async def stream(
        self, action: str, slots: Mapping[str, Any] | None = None, *, sender: str = "", **turn: Any
    ) -> AsyncIterator[ActionStream]:
        """Call an action as a channel does that streams; the block takes chunks, and may interrupt."""
        calling, state = self._calling, self._state(None, sender)
        work = calling.prepare_call(action, state, Turn(slots or {}, **turn))
        assembly, call, about = await asyncio.wrap_future(calling.loop.start(work))
        async with ActionStream(calling.loop, assembly, call, about) as stream:
            yield stream

    def use(self, service_type: type[T], fake: Any) -> None:
        """Let actions get ``fake`` when they ask ``services.get`` for this type, until the client is closed.

        An async function without arguments is called once, on the loop of the actions, and what it returns is used.
        """
        self._calling.replaced.replace(service_type, fake)

    def without_lifespan(self) -> None:
        """Open none of the package's own services; say it before the first call, and :meth:`use` what is needed."""
        self._calling.has_lifespan = False

    def set_clock(self, moment: str | datetime | float) -> FixedClock:
        """Stop the clock that the actions' modules and the conversations read, and return it."""
        self._calling.clock = FixedClock(moment)
        return self._calling.clock

    @property
    def actions(self) -> list[str]:
        """Return the names of the actions, in alphabetical order."""
        assembly = self._calling.loop.run(self._calling.open())
        return sorted(action.name for action in assembly.executor.registry)

    def close(self) -> None:
        """Close the services; nothing can be called afterwards."""
        self._calling.close()

    def _state(self, tracker: TrackerSource | None, sender: str) -> State:
        project, now = self._calling.project, self._calling.now
        if tracker is None:
            # Not one id for all: what runs once runs once for a conversation.
            return begin(project, sender or f"test-{uuid4().hex[:12]}", now)
        state = restore(project, tracker, project.folder / RECORDINGS, now)
        state.sender_id = sender or state.sender_id
        return state
