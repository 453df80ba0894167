"""The doctor: one planted fault for every rule, and silence where nothing is wrong."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import rasa_sdk
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from action_server.cli import command_line
from action_server.config import settings
from action_server.doctor import doctor
from tests.action_server.security.test_tls import Files
from tests.processes import PATIENCE, run, server
from tests.projects import GREET, project

ROOT = Path(__file__).parents[3]
URL = "http://localhost:5055/webhook"
OPEN = {"url": URL}
CLOSED: Mapping[str, Any] = {"auth": {"tokens": "right"}}
# A module of a name of its own, imported once for all tests that are about other things than the package.
BOT = "bot_of_the_doctor"
SLOW = """
    from rasa_sdk import Action
    from action_server import action_options

    @action_options(timeout=90)
    class ActionSlow(Action):
        def name(self):
            return "action_slow"

        def run(self, dispatcher, tracker, domain):
            return []
"""
SERVICE = """
    from contextlib import asynccontextmanager

    def ping(_):
        raise ConnectionError("S3CR3T")

    @asynccontextmanager
    async def lifespan(registry, config):
        if "broken" in config:
            raise ConnectionError("S3CR3T")
        registry.register_value(int, 5, ping=ping)
        yield
"""


def examined(
    folder: Path,
    content: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[doctor.Finding]:
    """What the doctor finds in a project with this endpoints file."""
    file = folder / "endpoints.yml"
    file.write_text(json.dumps(content), encoding="utf-8")
    shared = {"actions": BOT, "endpoints": file} if (folder / f"{BOT}.py").exists() else {}
    if not shared and not (folder / "actions.py").exists():
        project(folder, {"actions.py": GREET})
    read = settings.read({"host": "127.0.0.1", **shared, **(flags or {})}, environment or {})
    return doctor.examine(read, environment or {}, **options)


def names(findings: list[doctor.Finding]) -> list[str]:
    return [finding.rule for finding in findings]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose actions are fine."""
    made = project(tmp_path_factory.mktemp("bot"), {f"{BOT}.py": GREET})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(made)
        yield made
    sys.modules.pop(BOT, None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = Files(tmp_path_factory.mktemp("certificates"))
    for ca in ("ca", "other-ca"):
        made.make_ca(ca)
    made.make_leaf("server", "ca")
    made.make_leaf("client", "ca")
    made["garbage.pem"].write_text("garbage\n")
    made["broken.pem"].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return made


def test_nothing_is_found_where_nothing_is_wrong(bot: Path) -> None:
    """A local url, a server for this machine only."""
    assert examined(bot, {"action_endpoint": OPEN}) == []


def test_of_this_repository_only_the_open_door_is_found() -> None:
    """Its endpoints.yml with default settings: rasa-sdk's 0.0.0.0 and no credentials, as everybody starts."""
    ended = run(ROOT, ["doctor", "--json"])

    assert ended.returncode == 0
    assert [(f["rule"], f["where"]) for f in json.loads(ended.stdout)["findings"]] == [
        ("public-without-auth", "setting host")
    ]


def basic(username: object, password: object) -> dict[str, Any]:
    return {"basic_auth": {"username": username, "password": password}}


GRPC = {"url": "grpc://localhost:5055"}
AS_GRPC = {"grpc": True}
BEARER = {"headers": {"authorization": "Bearer right"}}
USER = {"auth": {"basic": {"username": "a", "password": "ß"}}}
# The endpoint, the flags of the server, and all rules that find something.
ENDPOINTS: list[tuple[str, Mapping[str, Any], Mapping[str, Any], list[str]]] = [
    ("no endpoint", {}, {}, ["endpoint-missing"]),
    ("a url that is no text", {"url": 5055}, {}, ["endpoint-missing", "endpoint-shape"]),
    ("headers as a list", {**OPEN, "headers": ["a"]}, {}, ["endpoint-shape"]),
    ("a parameter that is true", {**OPEN, "params": {"debug": True}}, {}, ["endpoint-shape"]),
    ("a variable that is not set", {**OPEN, "params": {"x": "${NOPE}"}}, {}, ["variable-unset"]),
    ("no scheme", {"url": "localhost:5055/webhook"}, {}, ["url-scheme"]),
    ("no scheme and no port", {"url": "localhost/webhook"}, {}, ["url-scheme"]),
    ("an unknown scheme", {"url": "ftp://localhost:5055/webhook"}, {}, ["url-scheme"]),
    ("no host", {"url": "http:///webhook"}, {}, ["url-host"]),
    ("a port too high", {"url": "http://localhost:70000/webhook"}, {}, ["url-host"]),
    ("brackets without end", {"url": "http://[::1/webhook"}, {}, ["url-host"]),
    ("no path", {"url": "http://localhost:5055"}, {}, ["url-path"]),
    ("another path", {"url": "http://localhost:5055/webhooks"}, {}, ["url-path"]),
    ("a prefix at home", {"url": "http://localhost:5055/bot/webhook"}, {}, ["url-path"]),
    ("a prefix elsewhere", {"url": "http://bot.example/bot/webhook"}, {}, ["url-prefix"]),
    ("a slash at the end", {"url": f"{URL}/"}, {}, []),
    ("an address to listen on", {"url": "http://0.0.0.0:5055/webhook"}, {}, ["url-any-host"]),
    ("another port", OPEN, {"port": 5056}, ["url-port"]),
    ("a free port", OPEN, {"port": 0}, []),
    ("another port elsewhere", {"url": "http://bot.example:80/webhook"}, {}, []),
    ("TLS where there is none", {"url": "https://localhost:5055/webhook"}, {}, ["https-to-http"]),
    ("TLS that a proxy ends", {"url": "https://bot.example/webhook"}, {}, []),
    ("gRPC to HTTP", GRPC, {}, ["grpc-to-http", "grpc-plaintext"]),
    ("HTTP to gRPC", OPEN, AS_GRPC, ["http-to-grpc"]),
    ("gRPC in plain text", GRPC, AS_GRPC, ["grpc-plaintext"]),
    ("upper case over gRPC", {**GRPC, "headers": {"X-A": "b"}}, AS_GRPC, ["grpc-header-case", "grpc-plaintext"]),
    ("umlauts over gRPC", {**GRPC, "headers": {"x-a": "ä"}}, AS_GRPC, ["header-value", "grpc-plaintext"]),
    ("basic over gRPC", {**GRPC, **basic("a", "b")}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("a token over gRPC", {**GRPC, "token": "a"}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("parameters over gRPC", {**GRPC, "params": {"a": "b"}}, AS_GRPC, ["grpc-plaintext", "grpc-unsent"]),
    ("a CA that is missing", {**OPEN, "cafile": "no.pem"}, {}, ["file-unusable"]),
    ("a CA no file can be", {**OPEN, "cafile": "a\0b"}, {}, ["file-unusable"]),
    ("half a client", {**OPEN, "ssl_client_cert": "no.pem"}, {}, ["file-unusable", "client-certificate-half"]),
    ("two ways", {**OPEN, "actions_module": "actions"}, {}, ["url-and-module"]),
    ("in the engine", {"actions_module": "actions"}, {}, ["module-only"]),
    ("the wrong token", {**OPEN, "token": "wrong"}, CLOSED, ["auth-refused"]),
    ("the right token", {**OPEN, "token": "right"}, CLOSED, []),
    ("the right token under a wrong name", {**OPEN, "token": "right", "token_name": "t"}, CLOSED, ["auth-refused"]),
    ("two tokens", {"url": f"{URL}?token=right", "token": "right"}, CLOSED, ["auth-refused"]),
    ("the right token as a bearer", {**OPEN, **BEARER}, CLOSED, []),
    ("a bearer over gRPC", {**GRPC, **BEARER}, {**AS_GRPC, **CLOSED}, ["grpc-plaintext"]),
    (
        "a query over gRPC",
        {**GRPC, "token": "right"},
        {**AS_GRPC, **CLOSED},
        ["auth-not-sent", "grpc-plaintext", "grpc-unsent"],
    ),
    ("a latin-1 user", {**OPEN, **basic("a", "ß")}, USER, []),
    ("a user in the url", {"url": "http://a:%C3%9F@localhost:5055/webhook"}, USER, []),
    ("no credential", OPEN, CLOSED, ["auth-not-sent"]),
    ("a credential for nobody", {**OPEN, "token": "a"}, {}, ["auth-not-asked"]),
    ("a header for nobody", {**OPEN, "headers": {"X-Api-Key": "a"}}, {}, ["auth-not-asked"]),
    ("two ways of basic", {**OPEN, **basic("a", "b"), **BEARER}, {}, ["auth-twice", "auth-not-asked"]),
    ("a password of no latin-1", {**OPEN, **basic("a", "ž")}, {}, ["basic-auth", "auth-not-asked"]),
    ("a user with a colon", {**OPEN, **basic("a:b", "c")}, {}, ["basic-auth", "auth-not-asked"]),
    ("a user without password", {**OPEN, "basic_auth": {"username": "a"}}, {}, ["basic-auth", "auth-not-asked"]),
    ("a header that is a number", {**OPEN, "headers": {"X-A": 5}}, {}, ["header-value"]),
    ("a header with a line break", {**OPEN, "headers": {"X-A": "a\nb"}}, {}, ["header-value"]),
    ("a header name with a blank", {**OPEN, "headers": {"X A": "a"}}, {}, ["header-value"]),
    ("a header with umlauts", {**OPEN, "headers": {"X-A": "ä"}}, {}, ["header-encoding"]),
    ("a token in the clear", {"url": "http://bot.example/webhook", "token": "right"}, CLOSED, ["token-in-the-clear"]),
    ("a token in the url", {"url": "http://bot.example/webhook?token=right"}, CLOSED, ["token-in-the-clear"]),
    ("an open door", OPEN, {"host": "0.0.0.0"}, ["public-without-auth"]),  # noqa: S104
    ("selective", {**OPEN, "enable_selective_domain": True}, {}, ["selective-domain"]),
    ("the longest timeout", OPEN, {"timeout": 300}, ["timeout-engine"]),
    ("a long timeout", OPEN, {"timeout": 61}, ["timeout-lock"]),
    ("a long timeout of one", OPEN, {"action_options": {"action_*": {"timeout": 61}}}, ["timeout-lock"]),
    ("a long queue", OPEN, {"queue_timeout": 31}, ["queue-timeout"]),
    ("a long grace", OPEN, {"grace": 31}, ["grace-kubernetes"]),
    ("small requests", OPEN, {"max_request_bytes": 1_000_000}, ["request-size"]),
]


@pytest.mark.parametrize(("endpoint", "flags", "rules"), [e[1:] for e in ENDPOINTS], ids=[e[0] for e in ENDPOINTS])
def test_in_the_endpoint_the_doctor_finds(
    bot: Path, endpoint: Mapping[str, Any], flags: Mapping[str, Any], rules: list[str]
) -> None:
    """Each planted fault, by its rule, and nothing else."""
    assert names(examined(bot, {"action_endpoint": endpoint}, flags=flags)) == rules


TRACING: list[tuple[str, Any, list[str]]] = [
    ("an unknown type", {"type": "zipkin"}, ["tracing-type"]),
    ("no mapping", "jaeger", ["tracing-type"]),
    ("no endpoint", {"type": "otlp"}, ["tracing-endpoint"]),
    ("otlp", {"type": "otlp", "endpoint": "localhost:4317"}, []),
    ("jaeger", {"type": "jaeger"}, []),
]


@pytest.mark.parametrize(("block", "rules"), [t[1:] for t in TRACING], ids=[t[0] for t in TRACING])
def test_in_tracing_the_doctor_finds(bot: Path, block: object, rules: list[str]) -> None:
    """What rasa-sdk's tracing does with the block."""
    assert names(examined(bot, {"action_endpoint": OPEN, "tracing": block})) == rules


HTTPS = {"url": "https://localhost:5055/webhook"}
# The endpoint's and the server's entries; names of files are replaced by their paths.
TLS: list[tuple[str, Mapping[str, Any], list[str], list[str]]] = [
    ("a pair that fits", {**HTTPS, "cafile": "ca.pem"}, ["cert", "key"], []),
    ("another CA", {**HTTPS, "cafile": "other-ca.pem"}, ["cert", "key"], ["tls-handshake"]),
    ("another host", {"url": "https://127.0.0.1:5055/webhook", "cafile": "ca.pem"}, ["cert", "key"], ["tls-handshake"]),
    ("a CA nobody knows", HTTPS, ["cert", "key"], ["https-untrusted"]),
    ("a file of no PEM", {**HTTPS, "cafile": "garbage.pem"}, ["cert", "key"], ["file-unusable"]),
    ("a broken PEM", {**HTTPS, "cafile": "broken.pem"}, ["cert", "key"], ["file-unusable"]),
    ("plain HTTP", OPEN, ["cert", "key"], ["http-to-https"]),
    (
        "client certificates over HTTP",
        {**HTTPS, "cafile": "ca.pem"},
        ["cert", "key", "ca"],
        ["http-client-certificate"],
    ),
    ("gRPC that fits", {**GRPC, "cafile": "ca.pem"}, ["grpc", "cert", "key"], []),
    ("gRPC without a CA", GRPC, ["grpc", "cert", "key"], ["grpc-to-tls", "grpc-plaintext"]),
    ("gRPC without a key", {**GRPC, "cafile": "ca.pem"}, ["grpc", "cert"], ["tls-to-grpc"]),
    ("gRPC without a client", {**GRPC, "cafile": "ca.pem"}, ["grpc", "cert", "key", "ca"], ["tls-handshake"]),
    (
        "gRPC with a client",
        {**GRPC, "cafile": "ca.pem", "ssl_client_cert": "client.pem", "ssl_client_key": "client.key"},
        ["grpc", "cert", "key", "ca"],
        [],
    ),
]


@pytest.mark.parametrize(("endpoint", "server_has", "rules"), [t[1:] for t in TLS], ids=[t[0] for t in TLS])
def test_in_tls_the_doctor_finds(
    bot: Path, files: Files, endpoint: Mapping[str, Any], server_has: list[str], rules: list[str]
) -> None:
    """The certificate is verified by a handshake of the two sides' files."""
    given = {
        n: str(files[v]) if n in ("cafile", "ssl_client_cert", "ssl_client_key") else v for n, v in endpoint.items()
    }
    every = {
        "grpc": ("grpc", True),
        "cert": ("ssl_certificate", files["server.pem"]),
        "key": ("ssl_keyfile", files["server.key"]),
        "ca": ("ssl_ca_file", files["ca.pem"]),
    }

    assert names(examined(bot, {"action_endpoint": given}, flags=dict(every[n] for n in server_has))) == rules


def test_the_url_of_the_command_line_stands_for_the_endpoints(folder: Path) -> None:
    """Also where there is no endpoint at all."""
    findings = examined(folder, {}, url="http://localhost:5055/")

    assert [(f.rule, f.where) for f in findings] == [("url-path", "--url")]


def test_variables_are_replaced_as_rasa_does(bot: Path) -> None:
    """Those in braces make a text a template, in which the others are replaced too."""
    endpoint = {"url": "http://${HOST}:$PORT/webhook", "token": "pa$$word"}

    found = examined(bot, {"action_endpoint": endpoint}, {"HOST": "localhost", "PORT": "5057"})

    assert names(found) == ["url-port", "auth-not-asked"]


def test_where_is_the_file_and_the_key_or_the_setting(folder: Path) -> None:
    """A setting of the file is named with it, one of a flag or the environment without."""
    content = {"action_endpoint": {**OPEN, "headers": {"X-A": 1}}, "action_server": {"timeout": 100}}

    found = examined(folder, content, flags={"grace": 60})

    assert [f.where for f in found] == [
        "endpoints.yml:action_endpoint.headers.X-A",
        "endpoints.yml:action_server.timeout",
        "setting grace",
    ]


def test_a_long_timeout_in_the_code_is_found_with_its_line(folder: Path) -> None:
    """What an author wrote with `@action_options`."""
    project(folder, {"actions.py": SLOW})

    found = examined(folder, {"action_endpoint": OPEN})

    assert [(f.rule, f.where) for f in found] == [("timeout-lock", "actions.py:5")]


BROKEN: list[tuple[str, str, str, str]] = [
    ("a module that is missing", "import nowhere_to_be_found", "actions.py:1", "nowhere_to_be_found"),
    ("a wrong syntax", "x = 1\nx = = 2", "actions.py:2", "SyntaxError"),
    ("an error", "x = 1\nraise ValueError('S3CR3T')", "actions.py:2", "raises ValueError"),
    ("a wrong hook", "def register_actions(r):\n    raise ValueError('S3CR3T')", "actions.py:1", "raises ValueError"),
]


@pytest.mark.parametrize(("source", "place", "problem"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_package_that_does_not_import_is_found_with_its_line(
    folder: Path, source: str, place: str, problem: str
) -> None:
    """The text of an error that is not about modules or syntax may quote anything, and is left out."""
    project(folder, {"actions.py": source})

    (finding,) = examined(folder, {"action_endpoint": OPEN})

    assert (finding.rule, finding.where) == ("actions-import", place)
    assert problem in finding.problem
    assert "S3CR3T" not in finding.problem


def test_another_rasa_sdk_is_found(bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 3.21 is tested."""
    monkeypatch.setattr(rasa_sdk, "__version__", "3.22.0")

    assert names(examined(bot, {"action_endpoint": OPEN})) == ["sdk-version"]


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

    assert names(examined(folder, content)) == ["module-only"]
    failing, _ = examined(folder, content, online=True)
    assert (failing.rule, failing.problem) == ("services-fail", problem)


class Engine(BaseHTTPRequestHandler):
    """Answers everything with a version, and with another time if told so."""

    body = b'{"version": "3.21.4"}'
    seconds = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.body)

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
        assert names(examined(bot, {"action_endpoint": OPEN}, engine=url)) == rules


def test_an_engine_that_does_not_run_is_found(bot: Path) -> None:
    """Nothing listens at port 1."""
    (finding,) = examined(bot, {"action_endpoint": OPEN}, engine="http://127.0.0.1:1")

    assert (finding.rule, finding.severity) == ("engine-unreachable", "warning")
    assert "refused" in finding.problem


def test_another_clock_of_the_server_is_found(bot: Path) -> None:
    """By the Date header of a proxy; Sanic itself sends none."""
    with http_server(type("Handler", (Engine,), {"seconds": 100})) as url:
        found = examined(bot, {"action_endpoint": {"url": f"{url}/webhook"}}, flags={"port": 0}, online=True)

    assert names(found) == ["clock-skew"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def asked(folder: Path, url: str, flags: Mapping[str, Any] | None = None, **endpoint: Any) -> list[doctor.Finding]:
    given = {"port": 0, **(flags or {})}
    return examined(folder, {"action_endpoint": {"url": url, **endpoint}}, flags=given, online=True)


def test_a_server_that_does_not_run_is_found(folder: Path) -> None:
    """Refused, and in words."""
    (finding,) = asked(folder, f"http://127.0.0.1:{free_port()}/webhook")

    assert (finding.rule, finding.severity) == ("unreachable", "error")
    assert "refused" in finding.problem


def test_a_server_that_does_not_answer_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens and says nothing."""
    monkeypatch.setattr(doctor, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (finding,) = asked(folder, f"http://127.0.0.1:{silent.getsockname()[1]}/webhook")

    assert "no answer within 0.2 s" in finding.problem


def test_a_page_that_is_not_there_is_found(folder: Path) -> None:
    """Some other server."""
    handler = type("Handler", (Engine,), {"do_GET": lambda self: self.send_error(404)})

    with http_server(handler) as url:
        (finding,) = asked(folder, f"{url}/webhook")

    assert "answered with 404" in finding.problem


def test_a_name_nobody_knows_is_said_in_words() -> None:
    """Without asking a name server, which may be slow."""
    key: Any = None

    assert "DNS" in doctor._reason(aiohttp.ClientConnectorDNSError(key, OSError()))


def test_a_running_server_with_auth(folder: Path) -> None:
    """The engine's own credential is tried: the right one finds nothing, another one is refused."""
    project(folder, {"actions.py": GREET})
    with server(folder, variables={"ACTION_SERVER__AUTH__TOKENS": "right"}) as running:
        url = f"{running.url}/webhook"
        right = asked(folder, url, CLOSED, token="right")
        by_header = asked(folder, url, CLOSED, headers={"Authorization": "Bearer right"})
        wrong = asked(folder, url, {"auth": {"tokens": "wrong"}}, token="wrong")

    assert (right, by_header) == ([], [])
    assert names(wrong) == ["server-refuses"]


def test_a_running_server_with_tls(folder: Path, files: Files) -> None:
    """With the CA nothing is found, with another one the reason is TLS."""
    project(folder, {"actions.py": GREET})
    pair = {"ssl_certificate": files["server.pem"], "ssl_keyfile": files["server.key"]}
    with server(folder, *(f"--{n.replace('_', '-')}={f}" for n, f in pair.items())) as running:
        url = f"{running.url}/webhook".replace("127.0.0.1", "localhost")
        right = asked(folder, url, pair, cafile=str(files["ca.pem"]))
        wrong = asked(folder, url, pair, cafile=str(files["other-ca.pem"]))

    assert right == []
    assert names(wrong) == ["tls-handshake", "unreachable"]
    assert "TLS fails" in wrong[1].problem


def test_a_running_server_that_is_not_ready(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The reasons of its `/ready` are shown; the doctor's own package is another one here, and is fine."""
    elsewhere = project(tmp_path_factory.mktemp("bot"), {"actions.py": SERVICE})
    with server(elsewhere) as running:
        (finding,) = asked(folder, f"{running.url}/webhook")

    assert finding.rule == "not-ready"
    assert "service builtins.int fails" in finding.problem


def test_a_running_server_over_grpc(folder: Path) -> None:
    """Health first, then a call with the engine's metadata."""
    project(folder, {"actions.py": GREET})
    port = free_port()
    flags = {"grpc": True, "port": port}
    url = f"grpc://127.0.0.1:{port}"
    with server(folder, "--grpc", "--port", str(port), variables={"ACTION_SERVER__AUTH__TOKENS": "right"}):
        right = asked(folder, url, {**flags, **CLOSED}, headers={"authorization": "Bearer right"})
        wrong = asked(folder, url, {**flags, "auth": {"tokens": "x"}}, headers={"authorization": "Bearer x"})
    gone = asked(folder, url, flags)

    assert names(right) == ["grpc-plaintext"]
    assert names(wrong) == ["server-refuses", "grpc-plaintext"]
    assert names(gone) == ["unreachable", "grpc-plaintext"]


def test_every_rule_has_a_planted_fault() -> None:
    """No rule without a test: each name stands in this file."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [rule for rule in doctor.RULES if f'"{rule}"' not in text] == []


# Where a secret can stand: the endpoints file, the environment.
HIDDEN: list[tuple[str, Mapping[str, Any], Mapping[str, str]]] = [
    ("a token", {"token": "S3CR3T"}, {}),
    ("a token that is a part of a variable", {"token": "a${B}$S3CR3T"}, {}),
    ("a variable", {"token": "${X}"}, {"X": "S3CR3T"}),
    ("a header", {"headers": {"X-A": "S3CR3Tä"}}, {}),
    ("a header with a line break", {"headers": {"X-A": "S3CR3T\n"}}, {}),
    ("a password", basic("a", "S3CR3T"), {}),
    ("a password of no latin-1", basic("a", "S3CR3Tž"), {}),
    ("a parameter", {"params": {"key": "S3CR3T"}}, {}),
    ("a user in the url", {"url": "http://S3CR3T:S3CR3T@bot.example/"}, {}),
    ("a query in the url", {"url": "http://bot.example/?token=S3CR3T"}, {}),
    ("a url that is a secret", {"url": "S3CR3T"}, {}),
    ("a scheme that is a secret", {"url": "S3CR3T://a"}, {}),
    ("a url with a sharp", {"url": "http://S3CR3T#a@bot.example/webhook"}, {}),
    ("a host that is a secret", {"url": "https://S3CR3T.example:5055/webhook"}, {}),
    ("a port that is a secret", {"url": "http://localhost:S3CR3T/webhook"}, {}),
    ("headers that are a text", {"headers": "S3CR3T"}, {}),
    ("our own", {"url": "http://localhost:5056/"}, {"ACTION_SERVER__AUTH__TOKENS": "S3CR3T"}),
    ("a service's", {}, {"ACTION_SERVER__SERVICES__X__Y": "S3CR3T"}),
]


@pytest.mark.parametrize(("endpoint", "variables"), [h[1:] for h in HIDDEN], ids=[h[0] for h in HIDDEN])
def test_no_secret_is_printed(
    bot: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Mapping[str, Any],
    variables: Mapping[str, str],
) -> None:
    """Neither in the table nor in the JSON, nor on standard error."""
    file = bot / "endpoints.yml"
    file.write_text(json.dumps({"action_endpoint": {**OPEN, **endpoint}}), encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    flags = ["--endpoints", str(file), "--actions", BOT]
    command_line.main(["doctor", *flags])
    command_line.main(["doctor", *flags, "--json", "-vv"])

    printed = capfd.readouterr()
    assert printed.out
    assert "S3CR3T" not in printed.out + printed.err


def test_a_failing_service_prints_no_secret(folder: Path) -> None:
    """The error's text may hold an address with its password; its traceback as well."""
    project(folder, {"actions.py": SERVICE, "endpoints.yml": "action_endpoint: {actions_module: actions}\n"})

    ended = run(folder, ["doctor", "--online", "-vv", "--host", "127.0.0.1"])

    assert ended.returncode == 1
    assert "services-fail" in ended.stdout
    assert "S3CR3T" not in ended.stdout + ended.stderr


ANY = st.text(st.characters(codec="utf-8"), max_size=8)


@given(
    before=ANY, after=ANY, name=st.sampled_from(["url", "token", "params", "headers", "basic_auth", "user", "query"])
)
@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
def test_no_secret_of_whatever_shape_is_in_a_finding(bot: Path, before: str, after: str, name: str) -> None:
    """Wherever it stands, whatever surrounds it."""
    secret = f"{before}S3CR3T{after}"
    endpoint = {
        "url": {"url": secret},
        "user": {"url": f"http://a:{secret}@localhost:5055/webhook"},
        "query": {"url": f"{URL}?token={secret}"},
        "basic_auth": basic(secret, secret),
        "token": {"token": secret},
    }.get(name, {name: {"X": secret}})

    found = examined(bot, {"action_endpoint": {**OPEN, **endpoint}}, flags=CLOSED)

    assert "S3CR3T" not in str(found)


CODES: list[tuple[str, str, list[str], int]] = [
    ("nothing wrong", "action_endpoint: {url: 'http://localhost:5055/webhook'}", ["--host", "127.0.0.1"], 0),
    ("a warning", "action_endpoint: {url: 'http://localhost:5055/webhook'}", [], 0),
    ("an error", "action_endpoint: {}", [], 1),
    ("broken YAML", "action_endpoint: {", [], 2),
    ("a setting that does not exist", "action_server: {colour: red}", [], 2),
    ("a file that does not exist", "", ["--endpoints", "no.yml"], 2),
    ("a certificate that cannot be read", "", ["--ssl-certificate", "no.pem"], 2),
]


@pytest.mark.parametrize(("text", "flags", "code"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_the_exit_code_is_of(folder: Path, text: str, flags: list[str], code: int) -> None:
    """0 without errors, 1 with, 2 where the server itself would not start for its settings."""
    project(folder, {"actions.py": GREET, "endpoints.yml": text})

    assert command_line.main(["doctor", *flags]) == code


def test_without_an_endpoints_file_the_endpoint_is_missing(folder: Path) -> None:
    """The default one may not be there."""
    project(folder, {"actions.py": GREET})

    assert command_line.main(["doctor"]) == 1


def test_json_has_the_number_of_errors_and_the_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All as text; what a module prints while it is imported does not get in between."""
    project(
        folder, {"actions.py": "print('hello')", "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055'}"}
    )

    code = command_line.main(["doctor", "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert code == 1
    assert printed["errors"] == 1
    assert [f["rule"] for f in printed["findings"]] == ["url-path", "public-without-auth"]
    for finding in printed["findings"]:
        assert set(finding) == {"rule", "severity", "where", "problem", "remedy"}
        assert finding["severity"] in doctor.SEVERITIES
        assert all(isinstance(value, str) and value for value in finding.values())


def test_through_a_pipe_the_table_has_every_finding(folder: Path) -> None:
    """In a process of its own, whose output is no terminal: errors first, no colour, no cut word."""
    project(folder, {"actions.py": GREET, "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055/[b]'}"})

    ended = run(folder, ["doctor"])

    assert ended.returncode == 1
    assert ended.stdout.index("url-path") < ended.stdout.index("public-without-auth")
    assert doctor.RULES["url-path"].problem in ended.stdout
    assert ended.stdout.splitlines()[-1] == "1 error, 1 warning"
    assert "\x1b" not in ended.stdout


def test_where_nothing_is_found_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Silence could be a crash."""
    project(folder, {"actions.py": GREET, "endpoints.yml": "action_endpoint: {url: 'http://localhost:5055/webhook'}"})

    assert command_line.main(["doctor", "--host", "127.0.0.1"]) == 0
    assert capsys.readouterr().out.strip() == "nothing found"


def rules_table() -> str:
    """The table of all rules, made from them."""
    lines = ["| rule | severity | what is wrong | what to do |", "|---|---|---|---|"]
    for rule in doctor.RULES.values():
        problem, remedy = (text.replace("<", "*").replace(">", "*") for text in (rule.problem, rule.remedy))
        lines.append(f"| `{rule.name}` | {rule.severity} | {problem} | {remedy} |")
    return "\n".join(lines)


def test_the_page_has_every_rule() -> None:
    """The table is made from the rules; paste the one shown here when it differs."""
    page = (ROOT / "docs" / "howto" / "doctor.md").read_text(encoding="utf-8")

    assert rules_table() in page, f"docs/howto/doctor.md needs this table:\n{rules_table()}"
