"""What a run wants to have said in a conversation: collected while it runs, handed over to a job of its own.

That job, which the worker has beside those of the package, has tries and pauses of its own: an engine that is down
repeats no work. Its key is the first job's id, so that a run which is repeated after a kill is handed over once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from action_server.errors import JobError
from action_server.jobs.definitions import Job
from action_server.jobs.engine_settings import Route
from action_server.jobs.origin import Origin, read_origin, stored_arguments
from action_server.jobs.rules import Rules
from action_server.jobs.values import encode

if TYPE_CHECKING:
    # Whoever has no jobs need not pay for SQLAlchemy.
    from action_server.jobs.queue import Claimed, Order

logger = logging.getLogger("action_server.jobs")

# The job that delivers.
DELIVER = "action_server.deliver"
# Seconds after which nobody waits for an answer any more; the setting `delivery.deadline` says otherwise.
DEADLINE = 3600.0

_TEXTS = TypeAdapter[Any](list[str])
_SLOTS = TypeAdapter[Any](dict[str, Any])


@dataclass(frozen=True)
class Delivery:
    """What is to be said and set, where, and by which route: None lets the worker choose.

    ``job_id`` and ``job`` are those of the job whose result it is.
    """

    job_id: str
    job: str
    conversation: str
    texts: Sequence[str] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    intent: str | None = None
    route: Route | None = None
    origin: Origin = field(default_factory=Origin)

    def with_more(
        self,
        texts: str | Sequence[str],
        slots: Mapping[str, Any] | None,
        to: str | None,
        intent: str | None,
        route: Route | None,
        engine: str | None = None,
    ) -> Delivery:
        """Return it with what one call of ``delivers`` adds. Raises :class:`JobError`, which repeats no value."""
        what = f"job {self.job}: what it delivers"
        # Of a mapping, a list would be of its keys.
        more = [texts] if isinstance(texts, (str, Mapping)) else list(texts)
        added = json.loads(encode(_TEXTS, more, f"{what}: a text"))
        if not all(text.strip() for text in added):
            raise JobError(f"{what}: a text is empty")
        values = json.loads(encode(_SLOTS, dict(slots or {}), f"{what}: a slot"))
        there = self.origin.engine if engine is None else engine
        moved = to not in (None, self.conversation) or there != self.origin.engine
        return replace(
            self,
            texts=[*self.texts, *added],
            slots={**self.slots, **values},
            conversation=self.conversation if to is None else to,
            # Nothing is known of another conversation's channel.
            origin=Origin(engine=there) if moved else self.origin,
            intent=intent or self.intent,
            route=route or self.route,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say, to set or to start."""
        return not (self.texts or self.slots or self.intent)

    def as_order(self, claimed: Claimed, deadline: float) -> Order:
        """Return the order of the job that delivers it, which belongs to the same call."""
        arguments = {
            "job_id": self.job_id,
            "job": self.job,
            "conversation": self.conversation,
            "texts": self.texts,
            "slots": self.slots,
            "intent": self.intent,
            "route": self.route,
            "origin": self.origin.as_json(),
        }
        text = json.dumps(arguments)
        from action_server.jobs.queue import Order

        return Order(
            DELIVER,
            text,
            0.0,
            deadline,
            key=f"result of {self.job_id}",
            conversation=self.conversation,
            request_id=claimed.request_id,
            traceparent=claimed.traceparent,
        )


def engine_of(name: str, arguments: str) -> str:
    """Return the name of the engine whose call asked for a job of this name, or whose conversation a result is for."""
    if name == DELIVER:
        return Origin.read(stored_arguments(arguments).get("origin")).engine
    return read_origin(arguments).engine


def last_words(job: Job[..., Any], claimed: Claimed, deadline: float) -> Order | None:
    """Return the order of what a job says in its conversation now that it is given up; None if that is nothing.

    What the author's function raises is logged: it must not keep the job from being parked.
    """
    if not claimed.conversation:
        return None
    # Not the job's own id: somebody may retry it, and what it comes to then is to be said as well.
    told = hashlib.sha256(f"{claimed.id} is given up".encode()).hexdigest()[: len(claimed.id)]
    said = Delivery(told, claimed.name, claimed.conversation, origin=read_origin(claimed.arguments))
    try:
        said = said.with_more(job.last_words(claimed.arguments), None, None, None, None)
    except Exception:
        logger.exception("job.last_words_failed", extra={"job": claimed.name, "job_id": claimed.id})
    return None if said.is_empty else said.as_order(claimed, deadline)


def delivering(take: Callable[[Delivery], Awaitable[Any]], rules: Rules) -> Job[..., Any]:
    """Return the job that delivers: it reads what :meth:`Delivery.as_order` wrote, and hands it to ``take``."""

    async def deliver(
        job_id: str,
        job: str,
        conversation: str,
        texts: list[str],
        slots: dict[str, Any],
        intent: str | None,
        route: Route | None,
        origin: dict[str, Any],
    ) -> Any:
        return await take(Delivery(job_id, job, conversation, texts, slots, intent, route, Origin.read(origin)))

    return Job(deliver, DELIVER, rules)
