"""Calls an action the way an engine does: one webhook request over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import rasa_sdk

from action_server.assembly import assemble
from action_server.config.settings import Settings
from action_server.nearest import nearest
from action_server.protocol.calls import encode_call
from action_server.security.auth import AuthSettings
from action_server.serving.server import listen, url_of
from action_server.serving.worker import serve_http
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
) -> Reply:
    """Send one webhook request that names an action to ``url``.

    ``headers`` are sent along, a credential for example.

    Raises:
        UnreachableError: nothing answers there.
    """
    body = encode_call(
        action, slots=slots, message=message, sender_id=sender_id, domain=domain, version=rasa_sdk.__version__
    )
    async with open_session() as session:
        return await post_call(session, url, body, headers)


async def explain_not_found(url: str, action: str, headers: Mapping[str, str]) -> str:
    """Return why a call may have been answered with 404 or 405: the URL's path, or a misspelt name; "" if unknown."""
    if not urlsplit(url).path.endswith("/webhook"):
        return f"hint: an action server answers at /webhook: --url {urljoin(url, '/webhook')}"
    try:
        async with open_session() as session, session.get(urljoin(url, "actions"), headers=headers) as response:
            names = [str(entry["name"]) for entry in await response.json()]
    except (aiohttp.ClientError, OSError, ValueError, TypeError, KeyError, asyncio.TimeoutError):
        return ""
    found = nearest(action, names)
    return f"hint: did you mean {found}?" if found else "hint: `action-server list` shows the names there are"


@asynccontextmanager
async def own_server(settings: Settings) -> AsyncIterator[str]:
    """Serve the settings' actions on a free port of this machine within the block; gives the webhook's URL.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    plain = dict.fromkeys(("ssl_certificate", "ssl_keyfile", "ssl_password", "ssl_ca_file"))
    local = settings.model_copy(update={**plain, "auth": AuthSettings(), "grace": 0.0})
    sock = listen("127.0.0.1", 0)
    url = f"{url_of(local, sock)}/webhook"
    try:
        async with (
            assemble(local) as assembly,
            serve_http(assembly, sock, f"own_server_{id(sock)}", only_one=False),
        ):
            assembly.watch()
            yield url
    finally:
        sock.close()
