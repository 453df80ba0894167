"""The action that says what jobs have come to, where the engine cannot speak by itself: `action_job_result`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server.errors import JobError
from action_server.jobs.marks import MARK, marks_of
from action_server.jobs.origin import Origin
from action_server.protocol.tool_calls import ToolCall
from action_server.runtime import services
from action_server.runtime.engine_call import engine_call


class KeptResult(Protocol):
    """What a job has come to, which waits to be said."""

    @property
    def job_id(self) -> str:
        """Its job's id."""
        ...

    @property
    def texts(self) -> Sequence[str]:
        """What is to be said."""
        ...

    @property
    def slots(self) -> Mapping[str, Any]:
        """What is to be set."""
        ...


class KeptResults(Protocol):
    """Where they are kept."""

    async def pick_up(self, conversation: str, said: Collection[str], engine: str = "") -> Sequence[KeptResult]:
        """Return those of a conversation of the engine of this name, and forget those that were said there."""
        ...


class ActionJobResult(Action):
    """Say what jobs of this conversation have come to, and set their slots.

    A package has it by deriving from it, and may say something else where nothing is there yet::

        class JobResult(ActionJobResult):
            '''Say what was asked for earlier.'''

            async def nothing_yet(self, dispatcher, tracker, domain):
                dispatcher.utter_message(response="utter_not_ready")
                return []
    """

    def name(self) -> str:
        """Return the action's name."""
        return "action_job_result"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Say what is kept for the conversation.

        Raises:
            JobError: there is no queue here: the package has no `@job`.
            DatabaseError: the database does not answer.
        """
        opened = services.current()
        found: Any = opened.deliveries if opened is not None else None
        if found is None:
            raise JobError("action_job_result: there are no results here, as the actions package has no @job")
        store: KeptResults = found
        # A tool's call has no events, and says so to whoever looks for them.
        events_so_far = [] if isinstance(engine_call.get(), ToolCall) else tracker.events or []
        kept = await store.pick_up(tracker.sender_id, marks_of(events_so_far), Origin.here().engine)
        if not kept:
            return await self.nothing_yet(dispatcher, tracker, domain)
        events: list[EventType] = []
        for one in kept:
            for text in one.texts:
                # What a message holds besides becomes the metadata of the engine's event, by which it is recognised.
                dispatcher.utter_message(text=text, **{MARK: one.job_id})
            events += [SlotSet(name, value) for name, value in one.slots.items()]
        return events

    async def nothing_yet(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[EventType]:
        """Return the events where nothing is kept; says nothing."""
        return []
