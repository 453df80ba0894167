"""Calls an action the way an engine does: one webhook request over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import rasa_sdk

from action_server.assembly import assemble
from action_server.config.settings import Settings
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
