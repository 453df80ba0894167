"""The engines that tests hold to the same behaviour: the stand-in, and a real one where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.action_server.delivery import rasa_36
from tests.action_server.delivery.engine_stand_in import engine_stand_in

Said = list[tuple[str, str]]


@dataclass
class Peer:
    """An engine that runs. ``said`` is what users were sent on the channel `callback`.

    A user who says "wait" holds the conversation's lock until ``release`` is set; ``waits`` is set when it is held.
    """

    url: str
    token: str
    # A file with the private key to the public one that the engine has.
    key: Path
    said: Said
    session: aiohttp.ClientSession
    release: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)

    async def user_says(self, conversation: str, text: str, channel: str = "callback") -> Any:
        """Say something through a channel; return what it answered."""
        body = {"sender": conversation, "message": text}
        async with self.session.post(f"{self.url}/webhooks/{channel}/webhook", json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json() if channel == "rest" else await response.text()

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """Ask the API as it is, with the token."""
        query = {"token": self.token, **query}
        async with self.session.request(method, f"{self.url}{path}", params=query, json=body) as response:
            return response.status, await response.json()


@asynccontextmanager
async def callbacks(said: Said, release: asyncio.Event, waits: asyncio.Event, port: int) -> AsyncIterator[str]:
    """Take what the channel `callback` sends, and be the action server of the action that waits."""

    async def take(request: web.Request) -> web.Response:
        message = await request.json()
        said.append((message["recipient_id"], message["text"]))
        return web.Response()

    async def act(_: web.Request) -> web.Response:
        waits.set()
        await release.wait()
        return web.json_response({"events": [], "responses": []})

    app = web.Application()
    app.router.add_post("/callback", take)
    app.router.add_post("/webhook", act)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="session")
def real_engine(rasa_folder: Path, keys: Path, unused_ports: tuple[int, int]) -> Iterator[str]:
    """The address of a Rasa Open Source 3.6.21; one for all tests, as it takes a minute to start.

    It takes its token, and tokens that are signed by the key.
    """
    if not rasa_36.is_here():
        pytest.skip("RASA_36 names no Python with Rasa Open Source 3.6.21")
    rasa_36.train(rasa_folder)
    callback, actions = unused_ports
    flags = ("--jwt-method", "RS256", "--jwt-secret", str(keys.with_suffix(".pub")), "--jwt-private-key", str(keys))
    with ExitStack() as stack:
        urls = f"http://127.0.0.1:{callback}/callback", f"http://127.0.0.1:{actions}/webhook"
        yield stack.enter_context(rasa_36.running(rasa_folder, *urls, flags))


@pytest.fixture(scope="session")
def rasa_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its bot is."""
    return tmp_path_factory.mktemp("rasa")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a private key, beside one with its public key, which ends in `.pub`."""
    file = tmp_path_factory.mktemp("keys") / "key"
    key, pem = rsa.generate_private_key(65537, 2048), serialization.Encoding.PEM
    private, public = serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
    file.write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    file.with_suffix(".pub").write_bytes(key.public_key().public_bytes(pem, public))
    return file


@pytest.fixture(scope="session")
def unused_ports() -> tuple[int, int]:
    """Where the callback's server of each test listens, and where its action server does."""
    import socket

    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(params=["stand-in", "rasa"])
async def peer(request: pytest.FixtureRequest, keys: Path) -> AsyncIterator[Peer]:
    """Each of the engines."""
    async with aiohttp.ClientSession() as session:
        if request.param == "stand-in":
            public = keys.with_suffix(".pub").read_bytes()
            async with engine_stand_in(token=rasa_36.TOKEN, jwt_key=public) as engine:
                peer = Peer(engine.url, rasa_36.TOKEN, keys, engine.said, session, engine.release, engine.waits)
                yield peer
                peer.release.set()
            return
        url = request.getfixturevalue("real_engine")
        callback, actions = request.getfixturevalue("unused_ports")
        peer = Peer(url, rasa_36.TOKEN, keys, [], session)
        async with (
            callbacks(peer.said, peer.release, peer.waits, callback),
            callbacks(peer.said, peer.release, peer.waits, actions),
        ):
            yield peer
            peer.release.set()
