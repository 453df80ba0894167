"""Services that stand for the real ones during a test, by their type."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call
from action_server.runtime import services
from action_server.runtime.middleware import Next
from action_server.runtime.services import Services, use_services


class ReplacedServices:
    """What is used instead, and the middleware that lets actions get it."""

    def __init__(self) -> None:
        self._values: dict[type, Any] = {}
        self._factories: dict[type, Callable[[], Awaitable[Any]]] = {}

    def replace(self, service_type: type, value: Any) -> None:
        """Let actions get ``value`` for the type; an async function without arguments is called once, on their loop."""
        self._values.pop(service_type, None)
        self._factories.pop(service_type, None)
        if inspect.iscoroutinefunction(value):
            self._factories[service_type] = value
        else:
            self._values[service_type] = value

    async def middleware(self, call: Call, run: Next) -> Answer:
        """Run a call with the replaced services."""
        for service_type, make in list(self._factories.items()):
            self._values[service_type] = await make()
            del self._factories[service_type]
        opened = services.current()
        if not self._values or opened is None:
            return await run(call)
        with use_services(_Overlay(opened, self._values)):
            return await run(call)


class _Overlay(Services):
    """Services that have other values for some types."""

    def __init__(self, opened: Services, values: dict[type, Any]) -> None:
        super().__init__(opened.registry, opened.loop)
        self._opened = opened
        self._values = values
        self.jobs, self.deliveries = opened.jobs, opened.deliveries

    @property
    def container(self) -> Any:
        return _OverlayContainer(self._opened, self._values)


class _OverlayContainer:
    """What is asked of svcs' container here."""

    def __init__(self, opened: Services, values: dict[type, Any]) -> None:
        self._opened = opened
        self._values = values

    async def aget(self, service_type: type) -> Any:
        """Return the value for a type."""
        if service_type in self._values:
            return self._values[service_type]
        return await self._opened.container.aget(service_type)
