"""The way to a system: certificates that are trusted and those that are not, and proxies."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import aiohttp
import pytest

from actions.errors import AuthFailedError, UnavailableError
from actions.transport import open_session
from tests.actions.transport.transport_servers import Authority, closed_port, remote, speaking, transport

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture(autouse=True)
def _no_proxy_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def test_a_ca_of_one_s_own_is_trusted(tmp_path: Path) -> None:
    """With ca_file; the connections are kept for the next requests."""
    ca = Authority(tmp_path)
    # The session ends first: Python 3.10 takes a TLS connection that the server ended for one that was forgotten.
    async with remote(tls=ca.server()) as server, open_session() as session:
        crm = transport(session, server.url, ca_file=str(ca.file))
        answers = await asyncio.gather(*(crm.request("GET", "x") for _ in range(3)))

    assert [answer.status for answer in answers] == [200] * 3


async def test_a_certificate_that_is_not_good_is_said_in_words(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Not trusted, expired, another name. Nothing was sent, and trying again would not help."""
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    cases = [
        (ca.server(), None, "signed by a CA that is not trusted; name the CA in ca_file"),
        (ca.server(), other.file, "signed by a CA that is not trusted"),
        (ca.server(valid_for_days=-1), ca.file, "its certificate has expired"),
        (ca.server("127.0.0.2"), ca.file, "its certificate is for another address"),
    ]
    for context, file, words in cases:
        async with remote(tls=context) as server:
            crm = transport(session, server.url, ca_file=str(file) if file else None)
            with pytest.raises(UnavailableError, match=f"crm cannot be reached: .*{words}"):
                await crm.request("POST", "x")

            assert server.asked == []


async def test_a_server_without_tls_is_said_in_words(session: aiohttp.ClientSession) -> None:
    """https:// to a port that speaks http."""
    async with remote() as server:
        with pytest.raises(UnavailableError, match="no TLS connection can be made"):
            await transport(session, server.url.replace("http:", "https:")).request("POST", "x")


async def test_a_ca_file_that_cannot_be_used_is_said_in_words(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """At the first request: before that nothing is read."""
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    cases = {
        "missing.pem": "cannot be read: No such file or directory",
        "empty.pem": "holds no certificates",
        "junk.pem": "holds no certificates in PEM",
        "a\0b": "cannot be read: no file can have this name",
    }
    for name, words in cases.items():
        crm = transport(session, "https://127.0.0.1:1", ca_file=str(tmp_path / name))
        with pytest.raises(UnavailableError, match=f"the ca_file of crm, .*, {words}"):
            await crm.request("POST", "x")


class Proxy:
    """An HTTP proxy: remembers the heads of requests, tunnels CONNECT to wherever it is told, else answers itself."""

    def __init__(self, tunnel_to: int | None = None, refuses: int | None = None) -> None:
        self.heads: list[str] = []
        self._tunnel_to = tunnel_to
        self._refuses = refuses

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if self._refuses:
            writer.write(f"HTTP/1.1 {self._refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
        elif head.startswith("CONNECT"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            there = await asyncio.open_connection("127.0.0.1", self._tunnel_to)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    writer.close()


async def test_a_proxy_is_used_with_its_credentials(session: aiohttp.ClientSession) -> None:
    """They go to the proxy, and the request's own way is in the first line."""
    proxy = Proxy()
    async with speaking(proxy) as url:
        way = url.replace("http://", "http://user:p%40ss@")
        answer = await transport(session, "http://crm.invalid/api", proxy=way).request("GET", "x")

    assert answer.status == 200
    assert proxy.heads[0].startswith("GET http://crm.invalid/api/x HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'user:p@ss').decode()}\r\n" in proxy.heads[0]


async def test_tls_goes_through_a_proxy(tmp_path: Path) -> None:
    """In a tunnel: the proxy sees a name and a port."""
    ca = Authority(tmp_path)
    async with remote(tls=ca.server()) as server:
        port = int(server.url.rpartition(":")[2])
        proxy = Proxy(tunnel_to=port)
        async with speaking(proxy) as way, open_session() as session:
            crm = transport(session, f"{server.url}/secret", proxy=way, ca_file=str(ca.file))
            assert (await crm.request("GET", "x")).status == 200

    assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")
    assert "secret" not in proxy.heads[0]


async def test_a_proxy_s_failures_are_told_from_the_system_s(session: aiohttp.ClientSession) -> None:
    """Who has to mend it is another person."""
    gone = transport(session, "https://crm.invalid", proxy=f"http://u:secret@127.0.0.1:{closed_port()}")
    with pytest.raises(
        UnavailableError, match=r"the proxy on the way to crm cannot be reached: 127\.0\.0\.1 port"
    ) as caught:
        await gone.request("POST", "x")
    assert "secret" not in str(caught.value)

    for status, error in ((407, AuthFailedError), (502, UnavailableError)):
        async with speaking(Proxy(refuses=status)) as way:
            with pytest.raises(error, match="the proxy on the way to crm"):
                await transport(session, "https://crm.invalid", proxy=way).request("POST", "x")


async def test_the_environment_s_proxy_is_used_if_that_is_wanted(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by itself; not for hosts in NO_PROXY; and a proxy of the settings comes first."""
    environment, own = Proxy(), Proxy()
    async with speaking(environment) as way, speaking(own) as better, remote() as server:
        monkeypatch.setenv("http_proxy", way.removeprefix("http://"))
        await transport(session, server.url).request("GET", "x")
        assert len(server.asked) == 1
        await transport(session, server.url, trust_env=True).request("GET", "x")
        assert len(environment.heads) == 1
        await transport(session, server.url, trust_env=True, proxy=better).request("GET", "x")
        assert len(own.heads) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await transport(session, server.url, trust_env=True).request("GET", "x")

    assert (len(server.asked), len(environment.heads), len(own.heads)) == (2, 1, 1)
