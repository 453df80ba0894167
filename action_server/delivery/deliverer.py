"""The job that brings a result to its conversation, with tries and pauses of its own.

What is said by the route `tracker-events` carries the id of the job, and the tracker is asked for it before every try:
a reply that was lost does not have it said twice. While the engine may still be at work on a request whose reply was
lost, waiting for the conversation's lock, nothing is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from action_server.delivery.engine import Engine
from action_server.delivery.routes import Choice, Conversation, choose, choose_unseen, payload_of
from action_server.delivery.store import DeliveryStore, Kept
from action_server.errors import DeliveryError, SettingsError
from action_server.jobs.asking import running_job
from action_server.jobs.definitions import Job
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings
from action_server.jobs.handover import Delivery, delivering
from action_server.jobs.marks import MARK, is_marked
from action_server.jobs.rules import Rules
from action_server.nearest import did_you_mean
from action_server.protocol.which_engine import HEADER, PARAMETER, UNFIT

logger = logging.getLogger(__name__)

# Pauses in seconds; tries end with the deadline.
_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0
_MANY = 1_000_000
# Beyond the engine's time for one request: a tracker is asked before, and a message may follow.
_REQUESTS = 3


class Deliverer:
    """Brings results to their conversations; one for each worker.

    ``engines`` are those of the settings that have an address, by name. ``tally`` is told of each try: the engine's
    name, and the route or what else came of it.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        store: DeliveryStore,
        engines: Mapping[str, Engine],
        tally: Callable[[str, str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._tally = tally

    @property
    def job(self) -> Job[..., Any]:
        """The job that a worker runs beside those of the package."""
        timeout = max(one.timeout for one in (self._settings, *self._settings.engines.values()))
        rules = Rules(_MANY, _BACKOFF, _LONGEST_BACKOFF, _REQUESTS * timeout, self._settings.deadline)
        return delivering(self.deliver, rules)

    async def deliver(self, delivery: Delivery) -> str:
        """Deliver the result of a job, unless it is there; return the route. Raises :class:`DeliveryError`."""
        name, outcome = delivery.origin.engine, "failed"
        settings = self._settings.of(name)
        try:
            if settings is None:
                raise DeliveryError(self._unknown(name))
            choice = choose_unseen(delivery, settings)
            if choice is None:
                choice = await self._through_engine(delivery, settings)
            else:
                await self._keep(delivery)
            outcome = choice.route
        except SettingsError as exc:
            # A file of a secret that cannot be read.
            raise DeliveryError(str(exc)) from exc
        finally:
            if self._tally is not None:
                # Whatever else a caller writes must not become a series.
                self._tally("?" if settings is None else name, outcome)
        facts = {"job_id": delivery.job_id, "of": delivery.job, "route": choice.route, "why": choice.why}
        logger.info("delivery.done", extra={**facts, **({"engine": name} if name else {})})
        return choice.route

    def _unknown(self, name: str) -> str:
        if name == UNFIT:
            told = f"the call told what is no name of an engine, or two ({HEADER}, or `?{PARAMETER}=` of the URL)"
            return f"{told}: it has to be one of `delivery.engines`"
        hint = did_you_mean(name, self._settings.engines)
        return f"`delivery.engines` has no {name}, which the call named as its engine{hint}: set it, with its address"

    async def _through_engine(self, delivery: Delivery, settings: EngineSettings) -> Choice:
        engine = self._engines.get(delivery.origin.engine)
        place = DeliverySettings.place(delivery.origin.engine, "engine")
        if engine is None:
            raise DeliveryError(f"the route {delivery.route or settings.route} needs the engine: set `{place}`")
        asked = await self._store.asked_for(delivery.job_id)
        conversation = await engine.conversation(delivery.conversation)
        if is_marked(conversation.events, delivery.job_id):
            await self._store.forget([delivery.job_id])
            return Choice("tracker-events", "the conversation has it already")
        if delivery.origin.has_user and not conversation.has_user:
            raise DeliveryError(
                f"the engine at {settings.engine} does not know the conversation any more: was its tracker store "
                f"emptied, or is `{place}` another engine?"
            )
        choice = choose(delivery, conversation, settings)
        if choice.route != "pick-up" and asked is not None and asked < settings.lock_life:
            raise DeliveryError(
                "the engine may still be at work on a request whose reply was lost: nothing is repeated for "
                f"{settings.lock_life:g} s (`{DeliverySettings.place(delivery.origin.engine, 'lock_life')}`)"
            )
        await self._take(choice, delivery, conversation, engine)
        return choice

    async def _take(self, choice: Choice, delivery: Delivery, conversation: Conversation, engine: Engine) -> None:
        if choice.route == "pick-up":
            await self._keep(delivery)
            return
        await self._store.note_asked(delivery.job_id, delivery.conversation)
        run = running_job.get(None)
        if run is not None:
            # Raises if the run was taken over: a host that stood still must not speak beside its successor.
            await run.progress(said="asking the engine")
        if is_marked(conversation.events, _texts_of(delivery.job_id)):
            # A try that went no further than this.
            delivery = replace(delivery, texts=())
        try:
            if choice.route == "tracker-events":
                left = await self._append(delivery, engine)
            elif choice.route == "trigger-intent":
                left = await self._trigger(delivery, engine)
            else:
                left = await self._set_slots(delivery, conversation, engine)
        except DeliveryError as exc:
            if not exc.is_unknown:
                await self._store.forget([delivery.job_id])
            raise
        if left:
            # Answered to us, and to nobody else.
            await self._keep(replace(delivery, texts=left, slots={}))
        else:
            await self._store.forget([delivery.job_id])

    async def _append(self, delivery: Delivery, engine: Engine) -> Sequence[str]:
        events = _events_of(delivery)
        slots = await engine.append(delivery.conversation, events) if events else {}
        unknown = sorted(name for name in delivery.slots if slots and name not in slots)
        if unknown:
            facts = {"job_id": delivery.job_id, "of": delivery.job, "slots": ", ".join(unknown)}
            logger.warning("delivery.slot_unknown", extra=facts)
        return ()

    async def _trigger(self, delivery: Delivery, engine: Engine) -> Sequence[str]:
        if delivery.intent is None:
            raise DeliveryError("the route trigger-intent needs an intent: delivers(..., intent=...)", is_final=True)
        if delivery.texts:
            await engine.append(
                delivery.conversation, _events_of(replace(delivery, slots={}), mark=_texts_of(delivery.job_id))
            )
        entities = {**delivery.slots, MARK: delivery.job_id}
        return await engine.trigger(delivery.conversation, delivery.intent, entities)

    async def _set_slots(self, delivery: Delivery, conversation: Conversation, engine: Engine) -> Sequence[str]:
        message = payload_of(delivery.slots)
        channel = conversation.channel or delivery.origin.channel
        if message is None or not channel:
            raise DeliveryError(
                "the route set-slots cannot carry this: it takes up to ten slots of plain values without ( ) [ ] , =, "
                "and a channel; use tracker-events",
                is_final=True,
            )
        if delivery.texts:
            await engine.append(
                delivery.conversation, _events_of(replace(delivery, slots={}), mark=_texts_of(delivery.job_id))
            )
        return await engine.say(channel, delivery.conversation, message)

    async def _keep(self, delivery: Delivery) -> None:
        kept = Kept(delivery.job_id, delivery.texts, delivery.slots, delivery.origin.engine)
        await self._store.keep(kept, delivery.conversation)


def _texts_of(job_id: str) -> str:
    """Return the mark of texts that another request is to follow."""
    return f"{job_id}:texts"


def _events_of(delivery: Delivery, *, mark: str | None = None) -> list[dict[str, Any]]:
    """Return the events that say and set a result, slots first: they are there when somebody reacts to the text."""
    metadata = {MARK: mark or delivery.job_id}
    slots = [{"event": "slot", "name": n, "value": v, "metadata": metadata} for n, v in delivery.slots.items()]
    return [*slots, *({"event": "bot", "text": text, "metadata": metadata} for text in delivery.texts)]
