"""Opens what delivers results, for a worker that has a queue."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from action_server.errors import DatabaseError, SettingsError
from action_server.extras import packages_for
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings
from action_server.jobs.keeping import kept_here
from action_server.runtime.services import Services
from action_server.source import one_line
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.outbound import aiohttp_trace_config

if TYPE_CHECKING:
    from action_server.delivery.engine import Engine
    from action_server.jobs.queue import JobQueue

logger = logging.getLogger(__name__)


async def open_delivery(
    stack: AsyncExitStack,
    opened: Services,
    queue: JobQueue | None,
    settings: DeliverySettings,
    metrics: Metrics | None = None,
) -> None:
    """Give the services what delivers, closed with the stack: the job that does it, and what is kept.

    What is kept is in the server's own ``queue``, or in the first of those that the package keeps. Without any there is
    nothing to deliver.

    Raises:
        SettingsError: the database does not answer, a secret or a key cannot be used, or aiohttp is not installed and
            there is an engine.
    """
    queues = [*([] if queue is None else [queue]), *(one.queue for one in kept_here(opened))]
    if not queues:
        if settings.model_fields_set:
            problem = "the actions package has no function marked @job, so there is nothing to deliver"
            logger.warning("settings.unread", extra={"setting": "delivery", "problem": problem})
        return
    from action_server.delivery.deliverer import Deliverer
    from action_server.delivery.store import DeliveryStore

    try:
        store = await DeliveryStore.open(queues[0].database)
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    engines = {name: await stack.enter_async_context(open_engine(one, name)) for name, one in settings.reached()}
    for engine in engines.values():
        # Now, and not when the first result is due.
        engine.credentials.show()
    deliverer = Deliverer(settings, store, engines, None if metrics is None else metrics.delivered)
    opened.deliveries = store
    job = deliverer.job
    opened.own_jobs = {job.name: job}


@asynccontextmanager
async def open_engine(settings: EngineSettings, name: str = "") -> AsyncIterator[Engine]:
    """Open what speaks with an engine, whose name in the settings is ``name``, for the length of the block.

    Raises:
        SettingsError: aiohttp is not installed.
    """
    with packages_for("delivery.engine"):
        import aiohttp
    from action_server.delivery.engine import Engine

    # A connection for each request: of one that was open already nobody knows what became of a request.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, trace_configs=[aiohttp_trace_config()]) as session:
        yield Engine(settings, session, name)
