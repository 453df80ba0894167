"""What is found of a running server, a running engine and opened services."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.doctor import probes
from action_server.findings.finding import Finding
from tests.action_server.doctor.bots import CLOSED, OPEN, SERVICE, examine_bot, ids
from tests.action_server.security.certificates import Files
from tests.processes import PATIENCE, server
from tests.projects import GREET, project

SERVICES: list[tuple[str, dict[str, Any], str]] = [
    ("that cannot be opened", {"broken": True}, "the services cannot be opened: ConnectionError"),
    ("that do not answer", {}, "service builtins.int fails: ConnectionError"),
]


@pytest.mark.parametrize(("config", "problem"), [s[1:] for s in SERVICES], ids=[s[0] for s in SERVICES])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_services_are_opened_only_when_asked(folder: Path, config: dict[str, Any], problem: str) -> None:
    """Opening may make files and connections, so that it takes `--online`."""
    project(folder, {"actions.py": SERVICE})
    content = {"action_endpoint": {"actions_module": "actions"}, "action_server": {"services": config}}

    assert ids(examine_bot(folder, content)) == ["module-only"]
    failing, _ = examine_bot(folder, content, online=True)
    assert (failing.rule.id, failing.message) == ("services-fail", problem)


def test_a_setting_that_no_service_reads_is_named_with_the_one_that_may_be_meant(folder: Path) -> None:
    """It would be ignored, and the service work with something else."""
    project(folder, {"actions.py": SERVICE.replace("raise ConnectionError", "ConnectionError")})
    content = {"action_endpoint": {"actions_module": "actions"}, "action_server": {"services": {"borken": False}}}

    found, *_ = examine_bot(folder, content, online=True)

    assert (found.rule.id, found.message) == (
        "setting-unread",
        "no service of the actions reads the setting services.borken; did you mean services.broken?",
    )


class Engine(BaseHTTPRequestHandler):
    """Answers everything with a version, and with another time if told so."""

    body = b'{"version": "3.21.4"}'
    seconds = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID", ""))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(400)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(time.time() + self.seconds))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join(PATIENCE)


ENGINES: list[tuple[str, bytes, float, list[str]]] = [
    ("a known version and the same time", b'{"version": "3.21.4"}', 0, []),
    ("rasa open source", b'{"version": "3.6.21"}', 0, []),
    ("a newer version", b'{"version": "3.22.0"}', 0, ["engine-version"]),
    ("an older version", b'{"version": "2.8.0"}', 0, ["engine-version"]),
    ("no version", b"{}", 0, ["engine-unreachable"]),
    ("a list", b"[]", 0, ["engine-unreachable"]),
    ("words", b"hello", 0, ["engine-unreachable"]),
    ("a clock that is late", b'{"version": "3.21.4"}', -8, ["clock-skew"]),
    ("a clock that is early", b'{"version": "3.21.4"}', 8, ["clock-skew"]),
    ("a clock that is nearly right", b'{"version": "3.21.4"}', 3, []),
]


@pytest.mark.parametrize(("body", "seconds", "rules"), [e[1:] for e in ENGINES], ids=[e[0] for e in ENGINES])
def test_of_a_running_engine_the_doctor_finds(bot: Path, body: bytes, seconds: float, rules: list[str]) -> None:
    """Its version and its clock."""
    handler = type("Handler", (Engine,), {"body": body, "seconds": seconds})

    with http_server(handler) as url:
        assert ids(examine_bot(bot, {"action_endpoint": OPEN}, engine=url)) == rules


def test_an_engine_that_does_not_run_is_found(bot: Path) -> None:
    """Nothing listens at port 1."""
    (finding,) = examine_bot(bot, {"action_endpoint": OPEN}, engine="http://127.0.0.1:1")

    assert (finding.rule.id, finding.severity) == ("engine-unreachable", "warning")
    assert "refused" in finding.message


def test_another_clock_of_the_server_is_found(bot: Path) -> None:
    """By the Date header of a proxy; Sanic itself sends none."""
    with http_server(type("Handler", (Engine,), {"seconds": 100})) as url:
        found = examine_bot(bot, {"action_endpoint": {"url": f"{url}/webhook"}}, flags={"port": 0}, online=True)

    assert ids(found) == ["clock-skew"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def ask(
    folder: Path,
    url: str,
    flags: Mapping[str, Any] | None = None,
    *,
    patience: float = probes.PATIENCE,
    **endpoint: Any,
) -> list[Finding]:
    """Ask a running server with what an engine of this endpoint sends."""
    given = {"port": 0, **(flags or {})}
    content = {"action_endpoint": {"url": url, **endpoint}}
    return examine_bot(folder, content, flags=given, online=True, patience=patience)


def test_a_server_that_does_not_run_is_found(folder: Path) -> None:
    """Refused, and in words."""
    (finding,) = ask(folder, f"http://127.0.0.1:{free_port()}/webhook")

    assert (finding.rule.id, finding.severity) == ("unreachable", "error")
    assert "refused" in finding.message


def test_a_server_that_does_not_answer_is_found(folder: Path) -> None:
    """Something listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (finding,) = ask(folder, f"http://127.0.0.1:{silent.getsockname()[1]}/webhook", patience=0.2)

    assert "no answer within 0.2 s" in finding.message


def test_a_page_that_is_not_there_is_found(folder: Path) -> None:
    """Some other server."""
    handler = type("Handler", (Engine,), {"do_GET": lambda self: self.send_error(404)})

    with http_server(handler) as url:
        (finding,) = ask(folder, f"{url}/webhook")

    assert "answered with 404" in finding.message


def test_a_name_nobody_knows_is_said_in_words() -> None:
    """Without asking a name server, which may be slow."""
    key: Any = None

    assert "DNS" in probes.reason_of(aiohttp.ClientConnectorDNSError(key, OSError()))


def test_a_running_server_with_auth(folder: Path) -> None:
    """The engine's own credential is tried: the right one finds nothing, another one is refused."""
    project(folder, {"actions.py": GREET})
    with server(folder, variables={"ACTION_SERVER__AUTH__TOKENS": "right"}) as running:
        url = f"{running.url}/webhook"
        right = ask(folder, url, CLOSED, token="right")
        by_header = ask(folder, url, CLOSED, headers={"Authorization": "Bearer right"})
        wrong = ask(folder, url, {"auth": {"tokens": "wrong"}}, token="wrong")

    assert (right, by_header) == ([], [])
    assert ids(wrong) == ["server-refuses"]


def test_a_running_server_with_tls(folder: Path, files: Files) -> None:
    """With the CA nothing is found, with another one the reason is TLS."""
    project(folder, {"actions.py": GREET})
    pair = {"ssl_certificate": files["server.pem"], "ssl_keyfile": files["server.key"]}
    with server(folder, *(f"--{n.replace('_', '-')}={f}" for n, f in pair.items())) as running:
        url = f"{running.url}/webhook".replace("127.0.0.1", "localhost")
        right = ask(folder, url, pair, cafile=str(files["ca.pem"]))
        wrong = ask(folder, url, pair, cafile=str(files["other-ca.pem"]))

    assert right == []
    assert ids(wrong) == ["tls-handshake", "unreachable"]
    assert "TLS fails" in wrong[1].message


def test_a_running_server_that_is_not_ready(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The reasons of its `/ready` are shown; the doctor's own package is another one here, and is fine."""
    elsewhere = project(tmp_path_factory.mktemp("bot"), {"actions.py": SERVICE})
    with server(elsewhere) as running:
        (finding,) = ask(folder, f"{running.url}/webhook")

    assert finding.rule.id == "not-ready"
    assert "service builtins.int fails" in finding.message


def test_a_running_server_over_grpc(folder: Path) -> None:
    """Health first, then a call with the engine's metadata."""
    project(folder, {"actions.py": GREET})
    port = free_port()
    flags = {"grpc": True, "port": port}
    url = f"grpc://127.0.0.1:{port}"
    with server(folder, "--grpc", "--port", str(port), variables={"ACTION_SERVER__AUTH__TOKENS": "right"}):
        right = ask(folder, url, {**flags, **CLOSED}, headers={"authorization": "Bearer right"})
        wrong = ask(folder, url, {**flags, "auth": {"tokens": "x"}}, headers={"authorization": "Bearer x"})
    gone = ask(folder, url, flags)

    assert ids(right) == ["grpc-plaintext"]
    assert ids(wrong) == ["server-refuses", "grpc-plaintext"]
    assert ids(gone) == ["unreachable", "grpc-plaintext"]
