"""Whether a worker should get calls: started, not draining, not saturated, its services alive, its store writable."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from action_server.errors import DegradedError
from action_server.runtime.services import Services
from action_server.source import one_line
from action_server.telemetry.durations import milliseconds_since

if TYPE_CHECKING:
    import svcs

    from action_server.runtime.executor import Executor
    from action_server.telemetry.watchdog import LoopWatchdog

logger = logging.getLogger(__name__)

# How often a service's failure is said in the log, in seconds: probes ask all the time, and whoever may ask as well.
_SAY_AGAIN = 60.0
# A probe is asked every few seconds and gives up after a few; a service that takes longer is not well.
PING_TIMEOUT = 2.0


@dataclass
class Readiness:
    """The answer to ``/ready``. ``/health`` is another thing: it says that the process lives, and waits for nothing."""

    services: Services | None = None
    is_saturated: Callable[[], bool] = field(default=lambda: False)
    details: Callable[[], dict[str, object]] = field(default=dict)
    state: str = "starting"
    # Writes where actions that run once are kept; None without such actions. Their calls fail while it does.
    ping_store: Callable[[], Awaitable[None]] | None = None
    clock: Callable[[], float] = time.monotonic
    _pinging: asyncio.Task[Sequence[ServicePinged]] | None = field(default=None, init=False, repr=False)
    # By service: when its failure was said last.
    _said: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    async def check(self) -> tuple[bool, dict[str, object]]:
        """Return whether calls should come here, and the body that says so: ``status``, ``reasons`` and details."""
        reasons = {"starting": ["the worker is starting"], "draining": ["the worker is stopping"]}.get(self.state, [])
        if self.is_saturated():
            reasons.append("all places for calls and in the queue are taken")
        # Without the texts of the errors, which may hold a secret of an address; whoever probes may be anybody.
        failing = [] if reasons else [s for s in await self._pinged() if not s.works]
        reasons += [f"service {service.name} {service.failure}" for service in failing if service.is_needed]
        degraded = [f"service {service.name} {service.failure}" for service in failing if not service.is_needed]
        body: dict[str, object] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return not reasons, {**body, "degraded": degraded, **self.details()}

    async def _pinged(self) -> Sequence[ServicePinged]:
        """Ping everything, once for all who ask meanwhile: each ping is work for somebody else."""
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.create_task(self._ping())
        return await asyncio.shield(self._pinging)

    async def _ping(self) -> Sequence[ServicePinged]:
        found = await self._ping_each()
        for service in found:
            if service.works:
                self._said.pop(service.name, None)
            elif service.error and self.clock() - self._said.get(service.name, -_SAY_AGAIN) >= _SAY_AGAIN:
                self._said[service.name] = self.clock()
                logger.warning("service.failing", extra={"service": service.name}, exc_info=service.error)
        return found

    async def _ping_each(self) -> Sequence[ServicePinged]:
        pinged = ping_all(self.services, PING_TIMEOUT)
        if self.ping_store is None:
            return await pinged
        services, store = await asyncio.gather(pinged, _ping("idempotency store", self.ping_store, PING_TIMEOUT))
        return [*services, store]


@dataclass(frozen=True)
class ServicePinged:
    """What a service answered, and how many milliseconds it took to know.

    Attributes:
        failure: what happened, in words that show nothing of the error's text; empty if the service works.
        problem: the error's own words, for the operator alone.
        error: what the ping raised, if it did.
        is_needed: whether a worker should get no calls while the service fails.
    """

    name: str
    milliseconds: float
    failure: str = ""
    problem: str = ""
    is_needed: bool = True
    error: Exception | None = field(default=None, repr=False, compare=False)

    @property
    def works(self) -> bool:
        """Whether the ping came back without an error."""
        return not self.failure


async def ping_all(services: Services | None, timeout: float) -> Sequence[ServicePinged]:
    """Ping, at the same time, every service that was registered with a ping; each gets ``timeout`` seconds."""
    return await asyncio.gather(*(_ping(ping.name, ping.aping, timeout) for ping in _pings_of(services)))


async def describe_all(
    services: Services | None, timeout: float, words_of: Callable[[BaseException], str] = one_line
) -> Mapping[str, Sequence[str]]:
    """Return, by name, what services that were registered with a ping and have a method `describe` say of themselves.

    The method takes nothing, may be a coroutine, and returns lines of text: what settings were understood as, say. One
    that fails says so in ``words_of`` its error, as does one that takes longer than ``timeout`` seconds.
    """
    found = {}
    for ping in _pings_of(services):
        # svcs tells the type of a ping to nobody but itself.
        describe = getattr(await ping._container.aget(ping._svc_type), "describe", None)
        if callable(describe):
            found[ping.name] = await _description(describe, timeout, words_of)
    return found


async def _description(
    describe: Callable[[], Any], timeout: float, words_of: Callable[[BaseException], str]
) -> Sequence[str]:
    try:
        lines = describe()
        lines = await asyncio.wait_for(lines, timeout) if inspect.isawaitable(lines) else lines
        return tuple(str(line) for line in lines)
    except asyncio.TimeoutError:
        return (f"did not say within {timeout:g} s",)
    except Exception as exc:
        logger.debug("service.not_described", exc_info=True)
        return (words_of(exc),)


def details_of(executor: Executor, watchdog: LoopWatchdog | None) -> dict[str, object]:
    """Return what a worker tells of itself beside its state: what ran blocked, its calls and its threads."""
    recent = watchdog.recent() if watchdog is not None else []
    blocked = [{"action": b.action, "place": b.place, "seconds": round(b.seconds, 3)} for b in recent]
    return {
        "blocked": blocked,
        "calls": {"running": executor.admission.running, "waiting": executor.admission.waiting},
        "threads": {"running": executor.threads.running, "abandoned": executor.threads.abandoned},
    }


def _pings_of(services: Services | None) -> Sequence[svcs.ServicePing]:
    return [] if services is None or services.are_none else services.container.get_pings()


async def _ping(name: str, ping: Callable[[], Awaitable[None]], timeout: float) -> ServicePinged:
    began = time.perf_counter()
    failure = problem = ""
    is_needed, error = True, None
    try:
        await asyncio.wait_for(ping(), timeout)
    except asyncio.TimeoutError:
        failure = problem = f"does not answer within {timeout:g} s"
    except Exception as exc:  # noqa: BLE001 - whatever it is, the service does not work
        error = exc
        is_needed = not isinstance(exc, DegradedError)
        cause = exc.__cause__ if isinstance(exc, DegradedError) and exc.__cause__ else exc
        failure = f"fails: {type(cause).__name__}"
        problem = " ".join(str(exc).split()) or type(exc).__name__
    return ServicePinged(name, milliseconds_since(began), failure, problem, is_needed, error)
