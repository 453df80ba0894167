"""A conversation in a test: slots and events stay from one call to the next, as an engine keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from action_server.flows.player.state import State
from action_server.testing.result import CallResult

if TYPE_CHECKING:
    from action_server.testing.calling import Calling


class Conversation:
    """What was said and done so far. Its calls take what :meth:`ActionClient.call` takes."""

    def __init__(self, calling: Calling, state: State) -> None:
        self._calling = calling
        self._state = state

    @property
    def sender(self) -> str:
        """Return the conversation's id."""
        return self._state.sender_id

    @property
    def slots(self) -> dict[str, Any]:
        """Return all slots with their values."""
        return dict(self._state.slots)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return all events, as the tracker has them."""
        return list(self._state.events)

    @property
    def followup(self) -> str:
        """Return the action that an engine would run next because the last one said so, "" if none."""
        return self._state.followup

    @property
    def stack(self) -> list[dict[str, Any]]:
        """Return the frames of the dialogue stack, the active one last."""
        return self._state.stack.as_json()

    @property
    def active_form(self) -> str | None:
        """Return the form that is active, None if none is."""
        name = self._state.active_loop.get("name")
        return name if isinstance(name, str) else None

    async def call(self, action: str, slots: Mapping[str, Any] | None = None, **turn: Any) -> CallResult:
        """Call an action, and take in what it answers."""
        future = self._calling.start(action, self._state, slots=slots, keeps=True, **turn)
        return await asyncio.wrap_future(future)

    def call_sync(self, action: str, slots: Mapping[str, Any] | None = None, **turn: Any) -> CallResult:
        """Do what :meth:`call` does, and wait for it."""
        return self._calling.start(action, self._state, slots=slots, keeps=True, **turn).result()
