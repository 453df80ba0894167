"""Two replicas behind a real proxy, configured as ``deploy/proxies`` prints it: one leaves, and no call is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest
from rasa_sdk.grpc_py import action_webhook_pb2_grpc

from tests.action_server.security.certificates import Files, make_files
from tests.engine_calls import grpc_request
from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies import proxies
from tests.proxies.grpc_load import call_grpc_while
from tests.proxies.load import AS_A_TOOL, MARKING, body_of, call_while
from tests.proxies.others import OTHERS
from tests.proxies.proxies import KINDS, free_port, missing, proxy, proxy_process, tls_changes

DRAIN_DELAY = "1.5"
# Those with files in `deploy/proxies`.
PRINTED = KINDS | {name: kind for name, kind in OTHERS.items() if not kind.text}


@dataclass
class Replica:
    """A server, and its port: over gRPC its URL does not tell."""

    port: int
    process: ServerProcess

    async def stop(self) -> None:
        """Tell it to stop, and wait for its end."""
        await asyncio.to_thread(self.process.stop, signal.SIGTERM)


def ports_of(replicas: list[Replica]) -> list[int]:
    return [replica.port for replica in replicas]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    # Proxies may give up root's rights, and look for their files all the same.
    tmp_path.chmod(0o755)
    project(tmp_path, {"actions.py": MARKING, "endpoints.yml": AS_A_TOOL})
    return tmp_path / "marks"


@contextmanager
def two_replicas(folder: Path, *more: str) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        made = []
        for port in (free_port(), free_port()):
            flags = ("--actions", "actions", "--drain-delay", DRAIN_DELAY, "--port", str(port), *more)
            running = stack.enter_context(server(folder, *flags, variables={"MARKS": str(folder / "marks")}))
            made.append(Replica(port, running))
        yield made


def require(name: str) -> None:
    """Have a proxy, or say how to get it; Debian's have to be there in CI."""
    problem = missing(PRINTED[name])
    if problem and (name not in KINDS or not os.environ.get("CI")):
        pytest.skip(problem)
    assert not problem


@pytest.mark.parametrize("path", ["/webhook", "/mcp"])
def test_one_of_two_replicas_stops_under_load_and_no_call_is_lost(tmp_path: Path, marks: Path, path: str) -> None:
    """The proxy asks `/ready`; what the replica takes until it closes is answered, once."""
    require("haproxy")
    with two_replicas(tmp_path) as replicas, proxy(KINDS["haproxy"], ports_of(replicas), tmp_path / "proxy") as url:
        books = asyncio.run(call_while(url, marks, replicas[0].stop, path=path))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])


def test_one_of_two_replicas_that_speak_grpc_stops_under_load_and_no_call_is_lost(tmp_path: Path, marks: Path) -> None:
    """The proxy asks gRPC's own health check, byte by byte as its configuration has it."""
    require("haproxy")
    with (
        two_replicas(tmp_path, "--grpc") as replicas,
        proxy(KINDS["haproxy"], ports_of(replicas), tmp_path / "proxy", speaks_grpc=True) as url,
    ):
        books = asyncio.run(call_grpc_while(url.removeprefix("http://"), marks, replicas[0].stop))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[int], bool]]:
    """Two replicas, and whether they speak gRPC."""
    folder = tmp_path_factory.mktemp("site")
    project(folder, {"actions.py": MARKING, "endpoints.yml": AS_A_TOOL})
    with two_replicas(folder, *(["--grpc"] if request.param else [])) as replicas:
        yield ports_of(replicas), request.param


@pytest.mark.parametrize(
    ("name", "site"),
    [(kind.name, grpc) for kind in PRINTED.values() for grpc in (False, True) if kind.grpc_file or not grpc],
    indirect=["site"],
    ids=lambda value: value if isinstance(value, str) else "gRPC" if value else "HTTP",
)
def test_every_printed_configuration_carries_calls(site: tuple[list[int], bool], tmp_path: Path, name: str) -> None:
    """Its proxy takes it as it is printed, and answers and refusals arrive as the server gave them."""
    require(name)
    tmp_path.chmod(0o755)
    ports, speaks_grpc = site
    with proxy(PRINTED[name], ports, tmp_path / "proxy", speaks_grpc=speaks_grpc) as url:
        found = answers_of_grpc(url.removeprefix("http://")) if speaks_grpc else asyncio.run(answers_of_http(url))

    if name == "caddy" and found[1] == "UNKNOWN":
        found[1] = "NOT_FOUND"  # some refusals arrive without their code: see the page
    assert found == (["marked", "NOT_FOUND"] if speaks_grpc else ["marked", "404", "marked"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    return make_files(folder)


@pytest.fixture(scope="module")
def closed_site(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[list[int]]:
    """The ports of two replicas that speak TLS."""
    folder = tmp_path_factory.mktemp("site")
    project(folder, {"actions.py": MARKING, "endpoints.yml": AS_A_TOOL})
    pair = ("--ssl-certificate", str(files["server.pem"]), "--ssl-keyfile", str(files["server.key"]))
    with two_replicas(folder, *pair) as replicas:
        yield ports_of(replicas)


@pytest.mark.parametrize("name", KINDS)
def test_replicas_may_speak_tls(closed_site: list[int], files: Files, tmp_path: Path, name: str) -> None:
    """With the lines of the page, which have their certificate and their name checked."""
    require(name)
    tmp_path.chmod(0o755)
    changes = tls_changes(name, files["ca.pem"])
    with proxy_process(KINDS[name], closed_site, tmp_path / "proxy", changes=changes) as (url, _):
        assert asyncio.run(answers_of_http(url)) == ["marked", "404", "marked"]


def test_a_replica_with_a_certificate_of_somebody_elses_gets_no_call(
    closed_site: list[int], files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx checks nothing unless it is told to."""
    require("nginx")
    monkeypatch.setattr(proxies, "PATIENCE", 2)
    tmp_path.chmod(0o755)
    changes = tls_changes("nginx", files["other-ca.pem"])
    with (
        pytest.raises(AssertionError, match="the proxy does not answer"),
        proxy_process(KINDS["nginx"], closed_site, tmp_path / "proxy", changes=changes),
    ):
        pass

    assert "certificate verify error" in (tmp_path / "proxy" / "error.log").read_text(encoding="utf-8")


def answers_of_grpc(target: str) -> list[str]:
    found = []
    with grpc.insecure_channel(target) as channel:
        stub = action_webhook_pb2_grpc.ActionServiceStub(channel)
        for action in ("action_mark", "action_nobody"):
            try:
                found.append("marked" if "marked" in str(stub.Webhook(grpc_request(action), timeout=60)) else "?")
            except grpc.RpcError as exc:
                found.append(exc.code().name)
    return found


async def answers_of_http(url: str) -> list[str]:
    found = []
    async with aiohttp.ClientSession() as session:
        odd = body_of("/webhook", "s").replace(b"action_mark", b"action_nobody")
        for path, body in (("/webhook", body_of("/webhook", "s")), ("/webhook", odd), ("/mcp", body_of("/mcp", "s"))):
            async with session.post(url + path, data=body) as response:
                text = await response.text()
                found.append("marked" if "marked" in text else str(response.status))
    return found
