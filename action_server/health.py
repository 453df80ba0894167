"""Whether a worker should get calls: started, not draining, not saturated, its services alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import svcs

from action_server.services import Services

logger = logging.getLogger(__name__)

# A probe is asked every few seconds and gives up after a few; a service that takes longer is not well.
PING_TIMEOUT = 2.0


@dataclass
class Readiness:
    """The answer to ``/ready``. ``/health`` is another thing: it says that the process lives, and waits for nothing."""

    services: Services | None = None
    is_saturated: Callable[[], bool] = field(default=lambda: False)
    details: Callable[[], dict[str, object]] = field(default=dict)
    state: str = "starting"

    async def check(self) -> tuple[bool, dict[str, object]]:
        """Return whether calls should come here, and the body that says so: ``status``, ``reasons`` and details."""
        reasons = {"starting": ["the worker is starting"], "draining": ["the worker is stopping"]}.get(self.state, [])
        if self.is_saturated():
            reasons.append("all places for calls and in the queue are taken")
        if not reasons:
            reasons += await self._failing_services()
        body: dict[str, object] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return not reasons, {**body, **self.details()}

    async def _failing_services(self) -> list[str]:
        if self.services is None:
            return []
        pings = self.services.container.get_pings()
        found = await asyncio.gather(*(_problem(ping) for ping in pings))
        return [problem for problem in found if problem is not None]


async def _problem(ping: svcs.ServicePing) -> str | None:
    """Return what is wrong with a service, without the text of its error, which may hold a secret of its address."""
    try:
        await asyncio.wait_for(ping.aping(), PING_TIMEOUT)
    except asyncio.TimeoutError:
        return f"service {ping.name} does not answer within {PING_TIMEOUT:g} s"
    except Exception as exc:
        logger.warning("service.failing", extra={"service": ping.name}, exc_info=True)
        return f"service {ping.name} fails: {type(exc).__name__}"
    return None
