"""Calls an action the way an engine does: one webhook request, here or over HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import rasa_sdk

from action_server.assembly import assemble
from action_server.cli.known_slots import refuse_unread_slots
from action_server.config.settings import Settings
from action_server.nearest import nearest
from action_server.protocol.calls import encode_call
from action_server.telemetry.durations import milliseconds_since
from action_server.webhook_client import Reply, open_session, post_call


async def call_action(
    url: str,
    action: str,
    slots: Mapping[str, Any],
    *,
    message: str | None = None,
    sender_id: str = "default",
    domain: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Send one webhook request that names an action to ``url``.

    ``headers`` are sent along, a credential for example. ``tls`` verifies the server; without, the system's CAs do.

    Raises:
        UnreachableError: nothing answers there.
    """
    body = _body(action, slots, message, sender_id, domain)
    async with open_session(tls) as session:
        return await post_call(session, url, body, headers)


async def explain_not_found(
    url: str, action: str, headers: Mapping[str, str], tls: ssl.SSLContext | None = None
) -> str:
    """Return why a call may have been answered with 404 or 405: the URL's path, or a misspelt name; "" if unknown."""
    # Here, as a call in this process needs none of it.
    import aiohttp

    if not urlsplit(url).path.endswith("/webhook"):
        return f"hint: an action server answers at /webhook: --url {urljoin(url, '/webhook')}"
    try:
        async with open_session(tls) as session, session.get(urljoin(url, "actions"), headers=headers) as response:
            names = [str(entry["name"]) for entry in await response.json()]
    except (aiohttp.ClientError, OSError, ValueError, TypeError, KeyError, asyncio.TimeoutError):
        return ""
    return _meant(action, names)


async def call_in_process(
    settings: Settings,
    action: str,
    slots: Mapping[str, Any],
    *,
    message: str | None = None,
    sender_id: str = "default",
    domain: Mapping[str, Any] | None = None,
    knows_slots: bool = True,
) -> tuple[Reply, str]:
    """Answer one webhook request with the settings' actions, by the road of one that came over HTTP.

    Returns the reply and, if there is no such action, the one that may have been meant. Unless it ``knows_slots``,
    the action's code tells which ones there are.

    Raises:
        SettingsError: the action reads no such slot.
        StartupError: an action or a service cannot be made.
    """
    body = _body(action, slots, message, sender_id, domain)
    # Nobody will ask for the numbers of this one call.
    async with assemble(settings.model_copy(update={"metrics": False})) as assembly:
        executor = assembly.executor
        names = [known.name for known in executor.registry]
        warning = ""
        if slots and not knows_slots and action in names:
            warning = refuse_unread_slots(
                slots, executor.registry.get(action), may_be_read_elsewhere=executor.has_middlewares
            )
        assembly.watch()
        start = time.perf_counter()
        status, reply, _ = await assembly.calls.answer(body)
        found = Reply(status, json.loads(reply), milliseconds_since(start))
        return found, _meant(action, names) if status == 404 else warning


def _meant(action: str, names: Sequence[str]) -> str:
    found = nearest(action, names)
    return f"hint: did you mean {found}?" if found else "hint: `action-server list` shows the names there are"


def _body(
    action: str, slots: Mapping[str, Any], message: str | None, sender_id: str, domain: Mapping[str, Any] | None
) -> bytes:
    return encode_call(
        action, slots=slots, message=message, sender_id=sender_id, domain=domain, version=rasa_sdk.__version__
    )
