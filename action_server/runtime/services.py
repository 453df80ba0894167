"""What actions share within a worker: database engines, HTTP sessions, booking backends.

A package of actions may define ``lifespan``, an async context manager that is entered in each worker before its first
call and left after its last::

    @asynccontextmanager
    async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            registry.register_value(aiohttp.ClientSession, session)
            yield

Its actions then ask for what they need: ``services.get(aiohttp.ClientSession)``.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from action_server.errors import DegradedError, ServiceError

if TYPE_CHECKING:
    import svcs

__all__ = [
    "DegradedError",
    "Injected",
    "Lifespan",
    "Services",
    "activate",
    "blocking",
    "current",
    "get",
    "open",
    "use_services",
]

T = TypeVar("T")
# Marks a parameter of a typed function as a service where its class could be a slot's as well: a dataclass, a model.
INJECTED = "action_server.services.Injected"
Injected = Annotated[T, INJECTED]
Lifespan = Callable[["svcs.Registry", Mapping[str, Any]], AbstractAsyncContextManager[None]]


class Services:
    """The services of one worker, bound to the event loop they were opened on."""

    def __init__(self, registry: svcs.Registry | None, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.registry = registry
        self._container: svcs.Container | None = None
        # Where jobs are written down, a `JobQueue`; None if the package has no job.
        self.jobs: object | None = None
        # What the platform itself runs as jobs beside the package's, by name; and the results that were not fetched.
        self.own_jobs: Mapping[str, Any] = {}
        self.deliveries: object | None = None
        self.loop = loop
        self.process = os.getpid()
        # The loop's, which waits in vain for itself also where it is hidden (no_loop.py).
        self.thread = threading.get_ident() if loop is not None and loop is _running_loop() else None

    @property
    def container(self) -> svcs.Container:
        """What svcs keeps the services in; empty if the package has no lifespan."""
        if self._container is None:
            # Here and below, as it imports the server of aiohttp: a package without services need not pay for it.
            import svcs

            self._container = svcs.Container(self.registry or svcs.Registry())
        return self._container

    @property
    def are_none(self) -> bool:
        """Whether there is no lifespan that could have registered any."""
        return self.registry is None


# Of the running call; whoever sets them resets them, as :class:`use_services` does.
active_services: ContextVar[Services | None] = ContextVar("action_server_services", default=None)


def get(service_type: type[T]) -> T:
    """Return the service registered for ``service_type``.

    Raises:
        ServiceError: no services are open here, or none is registered for the type.
    """
    container = _services().container
    from svcs.exceptions import ServiceNotFoundError

    # svcs' own get() refuses what could be entered, an aiohttp.ClientSession for one, even if it never enters it.
    getting: Coroutine[Any, Any, T] = container.aget(service_type)
    try:
        getting.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    except ServiceNotFoundError:
        raise ServiceError(
            f"no service is registered for {service_type.__name__}; register it in the package's lifespan"
        ) from None
    getting.close()
    raise ServiceError(f"{service_type.__name__} has an async factory; register the value that it makes instead")


def current() -> Services | None:
    """Return the services that are open here, None if there are none."""
    return active_services.get()


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the worker's event loop and wait for it: what a synchronous action uses for async services.

    Raises:
        ServiceError: called from the event loop itself, which would wait for itself, where no services are open, or in
            a process that an action forked, where no loop runs.
    """
    try:
        services = _services()
        loop = services.loop
        if services.process != os.getpid():
            raise ServiceError("services live in the worker; a process that an action forked has to open its own")
        if loop is None:
            raise ServiceError("these services are not bound to an event loop")
        if loop is _running_loop() or services.thread == threading.get_ident():
            raise ServiceError("services.blocking() is for synchronous actions; in async code, await the coroutine")
    except ServiceError:
        work.close()
        raise
    return asyncio.run_coroutine_threadsafe(work, loop).result()


@contextmanager
def activate(registry: svcs.Registry) -> Iterator[Services]:
    """Make the services of ``registry`` the ones actions get within the block. The block runs on their event loop."""
    services = Services(registry, _running_loop())
    with use_services(services):
        yield services


class use_services:  # noqa: N801 - used as a function, and cheaper than one that yields
    """Make ``services`` the ones actions get within the block."""

    __slots__ = ("_services", "_token")

    def __init__(self, services: Services | None) -> None:
        self._services = services

    def __enter__(self) -> None:
        self._token = active_services.set(self._services)

    def __exit__(self, *_: object) -> None:
        active_services.reset(self._token)


@asynccontextmanager
async def open(lifespan: Lifespan | None, config: Mapping[str, Any]) -> AsyncIterator[Services]:
    """Open the services of a package, and close them at the end of the block. ``config`` is handed to its lifespan."""
    if lifespan is None:
        nothing = Services(None, _running_loop())
        with use_services(nothing):
            yield nothing
        return
    import svcs

    async with svcs.Registry() as registry:
        with activate(registry) as services:
            async with lifespan(registry, config):
                yield services


def _services() -> Services:
    services = active_services.get()
    if services is None:
        raise ServiceError("no services are open here: they live inside of a running action server")
    return services


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
