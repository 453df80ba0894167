"""Compares Rasa's ``action_endpoint`` with this server's settings, and says what will fail between them at run time.

No finding quotes a value of the files, not even a host: urls, headers and parameters hold credentials.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlencode, urlsplit

import aiohttp
import grpc
import rasa_sdk
from grpc_health.v1 import health_pb2, health_pb2_grpc
from multidict import CIMultiDict
from rasa_sdk.grpc_py import action_webhook_pb2, action_webhook_pb2_grpc

from action_server.config.settings import Settings
from action_server.endpoints import replace_texts
from action_server.errors import LoadError, RegistrationError, StartupError, UnauthorizedError
from action_server.runtime import loader, services
from action_server.runtime.health import Readiness
from action_server.security.auth import Authenticator, is_public
from action_server.security.tls import tls_context
from action_server.source import place_of, place_of_failure

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Rule:
    """What can be wrong: ``error`` if calls will fail, ``warning`` if they may; ``<words>`` stand for what is found."""

    name: str
    severity: Severity
    problem: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """What is wrong in one place: ``where`` is ``file:key``, a setting, a file with its line or an address."""

    rule: str
    severity: Severity
    where: str
    problem: str
    remedy: str


# Name and severity; what is wrong; what to do. Facts without a source are those of docs/decisions.md.
_RULES = """
endpoint-missing error
  there is no `action_endpoint` with a `url` or an `actions_module`: the engine has no action server to call
  add `action_endpoint:` with `url: "http://localhost:5055/webhook"`
endpoint-shape error
  must be <kind>; with anything else the engine fails at start or in every call
  write it as <kind>; put numbers and words like true in quotes where text is needed
variable-unset warning
  the variable <name> is not set here; the engine does not start where it is not set
  set it in the environment of the engine, and here for this check
url-scheme error
  the engine calls urls that start with http://, https:// or grpc:// and no others
  write the url with its scheme, as in http://localhost:5055/webhook
url-host error
  the url has no host, or a port that is not a number from 1 to 65535
  write the url as scheme://host:port/webhook
url-path error
  the path is not /webhook: the engine calls the url exactly as it stands, and gets a 404
  end the url with /webhook
url-prefix warning
  there is something before /webhook in the path, which this server does not know
  have the proxy in front of the server remove it, or write the url without it
url-any-host warning
  0.0.0.0 and :: are for listening; as a destination they mean this machine at best, and never another container
  write localhost, or the name of the action server's host or service
url-port warning
  the port is not <port>, on which this server listens
  make the two the same, unless a proxy or a container maps them (doctor takes the flags of run)
https-to-http error
  the engine speaks TLS, and this server has no certificate
  start the server with --ssl-certificate and --ssl-keyfile, or write http://
http-to-https error
  the engine speaks plain HTTP, and this server has a certificate and speaks TLS
  write https://, or start the server without --ssl-certificate
http-client-certificate error
  the server asks for client certificates (--ssl-ca-file), and engines have none over HTTP
  start the server without --ssl-ca-file, or use gRPC
grpc-to-http error
  the engine speaks gRPC, and this server HTTP
  start the server with --grpc (doctor takes the flags of run), or write http:// or https://
http-to-grpc error
  the engine speaks HTTP, and this server gRPC
  start the server without --grpc, or write grpc://
grpc-plaintext warning
  without `cafile` the engine speaks gRPC in plain text: others on the network can read the conversations
  set `cafile`, and start the server with --ssl-certificate and --ssl-keyfile
grpc-to-tls error
  without `cafile` the engine speaks gRPC in plain text, and this server has a certificate and speaks TLS
  set `cafile` to the CA of the server's certificate
tls-to-grpc error
  with `cafile` the engine speaks gRPC over TLS, and this server has no certificate and key
  start the server with --ssl-certificate and --ssl-keyfile, or remove `cafile`
grpc-header-case error
  gRPC takes lower-case names of headers only: every call ends in the engine with an error
  write the name in lower case; this server does not distinguish
grpc-unsent warning
  over gRPC the engine does not send it
  send a header instead: `headers:` with `authorization: Bearer ...`
file-unusable error
  the file cannot be used: <reason>
  name a PEM file that exists and the engine may read; the path is relative to where the engine starts
client-certificate-half warning
  `ssl_client_cert` and `ssl_client_key` go together: with one of them the engine shows no certificate
  set both, or none
tls-handshake error
  the engine and this server do not agree on TLS: <reason>
  have the certificate made for the url's host by the CA in `cafile`, and the client's by that of --ssl-ca-file
https-untrusted warning
  without `cafile` this machine does not trust the server's certificate: <reason>
  set `cafile` to the CA of the certificate, if the engine's machine does not know it either
url-and-module warning
  `actions_module` wins over `url`: the engine runs the actions itself and does not call this server
  remove one of the two
module-only note
  the engine runs the actions itself and does not call this server; the package's services are not opened there
  set `url` instead of `actions_module` for actions that need services
auth-refused error
  what the engine sends does not open the server's `auth:` settings
  compare the kind of credential, the names (`token_name`, headers) and the secret with `action_server: auth:`
auth-not-sent error
  this server needs a credential, and the engine sends none
  set `headers`, `basic_auth` or `token` of `action_endpoint`
auth-not-asked warning
  the engine sends a credential, and this server is open to all
  set `action_server: auth:`, see howto/authenticate.md
auth-twice error
  basic authentication and an Authorization header exclude each other: every call ends in the engine with an error
  remove one of the two
basic-auth error
  needs `username` and `password` in latin-1 characters, and no colon in the name: otherwise every call fails
  choose other ones, or a token in a header
header-value error
  it is not text, or has a character that <transport> cannot send in a header: every call fails in the engine
  write printable characters, and put numbers in quotes
header-encoding warning
  the value is not ASCII: the engine sends UTF-8, which proxies may read as latin-1 or refuse
  use ASCII characters
token-in-the-clear warning
  a credential stands in the url of every request, over plain HTTP to another host: proxies log urls
  send it in a header, and use https://
public-without-auth warning
  the server listens for other machines, and everybody there may call it
  set `action_server: auth:`, see howto/authenticate.md, or --host 127.0.0.1
timeout-engine warning
  the time limit of <what> is <seconds> s: engines give up after 300 s, and the action runs on for nobody
  set a lower timeout
timeout-lock warning
  the time limit of <what> is <seconds> s: the engine's lock of a conversation lives 60 s, then messages overtake
  set a timeout of at most 60 s
queue-timeout warning
  calls may wait longer for their turn than they may take: they time out before they are refused
  set queue_timeout below timeout
grace-kubernetes note
  running calls may take longer at the end than the 30 s after which Kubernetes kills a container
  set terminationGracePeriodSeconds of the pod above it
request-size note
  a long conversation makes requests of several MB, and larger ones than this limit are refused
  set max_request_bytes to 5000000 at least
tracing-type warning
  the `type` is not one rasa-sdk knows (jaeger, otlp): nothing is traced
  write `type: otlp`
tracing-endpoint error
  `type: otlp` needs an `endpoint`: with rasa-sdk's tracing the server does not start
  add `endpoint: localhost:4317`
selective-domain note
  Rasa Open Source takes a 449 for a failure, so that it is not asked for the domain: actions that need it go without
  with Rasa Open Source list these actions with `send_domain: true`, or remove the line
sdk-version warning
  rasa-sdk <version> is installed; this server is tested with 3.21
  install rasa-sdk 3.21
actions-import error
  <problem>
  repair the line; `action-server list` says more
services-fail error
  <problem>
  start or repair the service, or correct its settings in `action_server: services:`
unreachable error
  no action server answers: <reason>
  start the server, or correct the url
not-ready error
  the running server says: <reason>
  wait until it has started, or repair the service it names
server-refuses error
  the running server refuses what the engine sends
  compare the engine's credentials with the `auth:` settings of the running server
engine-unreachable warning
  the engine does not tell its version: <reason>
  correct --engine, the address of the engine's HTTP API, or leave it out
engine-version warning
  the engine is of a version that this server is not tested with (3.6 to 3.21)
  look for a newer action server, or try every action
clock-skew warning
  its clock and the one here are <seconds> s apart: JSON Web Tokens are refused, and reminders come at wrong times
  have both machines set their clocks by NTP
"""


def _parse(text: str) -> Iterator[Rule]:
    lines = [line.strip() for line in text.strip().splitlines()]
    for head, problem, remedy in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, severity = head.split()
        yield Rule(name, next(s for s in SEVERITIES if s == severity), problem, remedy)


RULES = {rule.name: rule for rule in _parse(_RULES)}


def found(rule: str, where: str, **facts: object) -> Finding:
    """Make a finding; ``facts`` are what its words stand for, and hold nothing secret."""
    texts = [RULES[rule].problem, RULES[rule].remedy]
    for name, value in facts.items():
        texts = [text.replace(f"<{name}>", str(value)) for text in texts]
    return Finding(rule, RULES[rule].severity, where, *texts)


_ENDPOINT = "action_endpoint"
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "url": ((str,), "text"),
    "headers": ((dict,), "a mapping"),
    "basic_auth": ((dict,), "a mapping"),
    "params": ((dict,), "a mapping"),
    "token": ((str, int), "text"),
    "token_name": ((str,), "text"),
    "cafile": ((str,), "text"),
    "ssl_client_cert": ((str,), "text"),
    "ssl_client_key": ((str,), "text"),
    "actions_module": ((str,), "text"),
}
# What Rasa takes for text with a variable, and what it then replaces in it (os.path.expandvars).
_HAS_VARIABLE = re.compile(r"\$\{.*\}")
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|(\w+))", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CREDENTIAL = re.compile(r"auth|token|key|secret|cookie", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443, "grpc": 443}
_ENGINE_TIMEOUT, _LOCK_TIMEOUT, _POD_TIMEOUT = 300, 60, 30
_LARGE_REQUEST = 5_000_000
_PATIENCE = 3.0
_SKEW = 5


@dataclass(frozen=True)
class Target:
    """Where the engine's calls go."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    credential: str | None

    @property
    def is_grpc(self) -> bool:
        """Whether calls are made over gRPC."""
        return self.scheme == "grpc"

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, as far as the address tells."""
        return self.host in ("0.0.0.0", "::") or not is_public(self.host)  # noqa: S104 - compared, not listened on

    def at(self, path: str) -> str:
        """Return the url of another page of the same server."""
        prefix = self.path.rstrip("/").removesuffix("/webhook")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{prefix}{path}"


def examine(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    url: str | None = None,
    engine: str | None = None,
    online: bool = False,
) -> list[Finding]:
    """Return what will fail, errors first. ``url`` stands for the endpoint's own; ``engine`` is asked if given.

    Without ``online`` and ``engine`` nothing is asked for over a network and no service is opened.

    Raises:
        SettingsError: a file cannot be read.
    """
    examination = _Examination(settings, environment, url)
    findings = [*examination.offline(), *asyncio.run(examination.online(engine, online=online))]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


class _Examination:
    def __init__(self, settings: Settings, environment: Mapping[str, str], url: str | None) -> None:
        self.settings = settings
        self.environment = environment
        self.url_where = "--url" if url else self._at("url")
        block = settings.blocks.action_endpoint.written
        self.written = {**(block if isinstance(block, dict) else {}), **({"url": url} if url else {})}
        expanded = {str(name): self._expanded(value) for name, value in self.written.items()}
        # What has the wrong shape is a finding, and for all other checks not there.
        self.endpoint = {n: v for n, v in expanded.items() if v is not None and _has_its_kind(n, v)}
        self.misshapen = [n for n, v in expanded.items() if v is not None and not _has_its_kind(n, v)]
        self.target = _target(self.endpoint.get("url", ""))
        self.package: loader.LoadedPackage | None = None
        self.authenticator = Authenticator(settings.auth)
        self.server_tls = self._server_tls()

    def offline(self) -> Iterator[Finding]:
        """What the files, the environment and the package of actions tell."""
        yield from self._endpoint()
        if not self.endpoint.get("actions_module"):
            yield from self._url()
            if self.target:
                yield from self._transport(self.target)
                yield from self._headers(self.target)
                yield from self._credentials(self.target)
        yield from self._server()
        yield from self._tracing()
        yield from self._actions()
        yield from self._timeouts()

    def _endpoint(self) -> Iterator[Finding]:
        if not self.endpoint.get("url") and not self.endpoint.get("actions_module"):
            yield found("endpoint-missing", str(self.settings.endpoints))
        elif self.endpoint.get("actions_module"):
            rule = "url-and-module" if self.endpoint.get("url") else "module-only"
            yield found(rule, self._at("actions_module"))
        for name in self.misshapen:
            yield found("endpoint-shape", self._at(name), kind=_KINDS[name][1])
        for name, value in self.endpoint.get("params", {}).items():
            if value is None or isinstance(value, (bool, dict)):
                yield found("endpoint-shape", self._at(f"params.{name}"), kind="text or a number")
        for path, text in _texts(self.written):
            for name in self._unset(text):
                yield found("variable-unset", self._at(path), name=name)
        if self.endpoint.get("enable_selective_domain") is True:
            yield found("selective-domain", self._at("enable_selective_domain"))

    def _url(self) -> Iterator[Finding]:
        url, target, where = self.endpoint.get("url"), self.target, self.url_where
        if target is None:
            if url:
                yield found("url-host" if _scheme(url) in _PORTS else "url-scheme", where)
            return
        path = target.path.removesuffix("/")
        if not target.is_grpc and path != "/webhook":
            behind_proxy = path.endswith("/webhook") and not target.is_local
            yield found("url-prefix" if behind_proxy else "url-path", where)
        if target.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
            yield found("url-any-host", where)
        if target.is_local and self.settings.port not in (0, target.port):
            yield found("url-port", where, port=self.settings.port)

    def _transport(self, target: Target) -> Iterator[Finding]:
        """Compare how the two speak; elsewhere and under another port a proxy may stand between them and end TLS."""
        where, cafile = self.url_where, self.endpoint.get("cafile")
        yield from self._files()
        if target.is_grpc and cafile is None:
            yield found("grpc-plaintext", where)
        if target.is_grpc != self.settings.grpc:
            yield found("grpc-to-http" if target.is_grpc else "http-to-grpc", where)
        elif not target.is_local and target.port != self.settings.port:
            return
        elif target.is_grpc and (self.server_tls is None) == (cafile is not None):
            yield found("tls-to-grpc" if cafile else "grpc-to-tls", where)
        elif target.scheme == "https" and self.server_tls is None:
            yield found("https-to-http", where)
        elif target.scheme == "http" and self.server_tls is not None:
            yield found("http-to-https", where)
        elif self.server_tls and not target.is_grpc and self.settings.ssl_ca_file:
            yield found("http-client-certificate", self._setting("ssl_ca_file"))
        elif self.server_tls and (client := self._client_tls()):
            problem = _handshake(self.server_tls, client, target.host)
            if problem:
                yield found("tls-handshake" if cafile else "https-untrusted", where, reason=problem)

    def _files(self) -> Iterator[Finding]:
        names = ("cafile", "ssl_client_cert", "ssl_client_key")
        for name in names:
            problem = self._problem_of_file(name)
            if problem:
                yield found("file-unusable", self._at(name), reason=problem)
        if ("ssl_client_cert" in self.endpoint) != ("ssl_client_key" in self.endpoint):
            yield found("client-certificate-half", self._at(next(n for n in names[1:] if n in self.endpoint)))

    def _problem_of_file(self, name: str) -> str | None:
        if name not in self.endpoint:
            return None
        try:
            content = Path(self.endpoint[name]).read_bytes()
            if name == "cafile":
                ssl.create_default_context(cadata=content.decode("ascii", "ignore"))
        except ssl.SSLError:
            return "it holds no certificate in PEM"
        except OSError as exc:
            return (exc.strerror or "it cannot be read").lower()
        except ValueError:
            return "no file can have this name"
        return None if b"-----BEGIN" in content else "it is not PEM"

    def _headers(self, target: Target) -> Iterator[Finding]:
        for name, value in self.endpoint.get("headers", {}).items():
            where = self._at(f"headers.{name}")
            if target.is_grpc and name != str(name).lower():
                yield found("grpc-header-case", where)
            if not _fits_in_header(name, value, ascii_only=target.is_grpc):
                yield found("header-value", where, transport="gRPC" if target.is_grpc else "HTTP")
            elif not value.isascii():
                yield found("header-encoding", where)
        for name in ("basic_auth", "token", "params"):
            if target.is_grpc and self.endpoint.get(name):
                yield found("grpc-unsent", self._at(name))

    def _credentials(self, target: Target) -> Iterator[Finding]:
        headers, query = self.sent(target)
        basic = self.endpoint.get("basic_auth") and not target.is_grpc
        if basic and _basic(self.endpoint["basic_auth"]) is None:
            yield found("basic-auth", self._at("basic_auth"))
        if (basic or target.credential) and any(str(n).lower() == "authorization" for n in self.endpoint_headers()):
            yield found("auth-twice", self._at("basic_auth" if basic else "url"))
        shown = _CREDENTIAL.search(str([*headers])) or (self.endpoint.get("token") and not target.is_grpc)
        sends = bool(basic or target.credential or shown)
        if not self.authenticator.enabled:
            if sends:
                yield found("auth-not-asked", self._at(""))
        elif not self._opens(headers, query):
            yield found("auth-refused" if sends else "auth-not-sent", self._at(""))
        in_url = self.endpoint.get("token") or _CREDENTIAL.search(f"{[*self.endpoint.get('params', ())]}{target.query}")
        if in_url and target.scheme == "http" and not target.is_local:
            yield found("token-in-the-clear", self._at("token" if self.endpoint.get("token") else "params"))

    def _opens(self, headers: CIMultiDict[str], query: str) -> bool:
        try:
            self.authenticator.check(headers, query)
        except UnauthorizedError:
            return False
        return True

    def endpoint_headers(self) -> dict[str, str]:
        """The headers of the endpoint that can be sent."""
        headers = self.endpoint.get("headers", {})
        return {name: value for name, value in headers.items() if _fits_in_header(name, value, ascii_only=False)}

    def sent(self, target: Target) -> tuple[CIMultiDict[str], str]:
        """Return the headers and the query of the engine's calls, as aiohttp and gRPC make them."""
        headers = CIMultiDict(self.endpoint_headers())
        if target.is_grpc:
            return headers, ""
        credential = target.credential or _basic(self.endpoint.get("basic_auth", {}))
        if credential:
            headers["Authorization"] = f"Basic {credential}"
        pairs = dict(self.endpoint.get("params", {}))
        if self.endpoint.get("token"):
            pairs[self.endpoint.get("token_name", "token")] = self.endpoint["token"]
        return headers, "&".join(part for part in (target.query, urlencode(pairs, errors="surrogatepass")) if part)

    def _server(self) -> Iterator[Finding]:
        settings = self.settings
        if is_public(settings.host) and not self.authenticator.enabled:
            yield found("public-without-auth", self._setting("host"))
        if settings.queue_timeout > settings.timeout:
            yield found("queue-timeout", self._setting("queue_timeout"))
        if settings.grace > _POD_TIMEOUT:
            yield found("grace-kubernetes", self._setting("grace"))
        if settings.max_request_bytes < _LARGE_REQUEST:
            yield found("request-size", self._setting("max_request_bytes"))
        if tuple(rasa_sdk.__version__.split(".")[:2]) != ("3", "21"):
            yield found("sdk-version", "rasa-sdk", version=rasa_sdk.__version__)

    def _tracing(self) -> Iterator[Finding]:
        block, where = self.settings.blocks.tracing.written, f"{self.settings.endpoints}:tracing"
        if block is None:
            return
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in ("jaeger", "otlp"):
            yield found("tracing-type", f"{where}.type")
        elif kind == "otlp" and not block.get("endpoint"):
            yield found("tracing-endpoint", f"{where}.endpoint")

    def _actions(self) -> Iterator[Finding]:
        try:
            self.package = loader.load(self.settings.actions, strict=self.settings.strict)
        except (LoadError, RegistrationError) as exc:
            # The text of somebody else's error may quote anything.
            known = exc.__cause__ is None or isinstance(exc.__cause__, (ImportError, SyntaxError))
            problem = str(exc).removeprefix(f"{exc.place}: ") if known else f"raises {type(exc.__cause__).__name__}"
            yield found("actions-import", exc.place, problem=problem)

    def _timeouts(self) -> Iterator[Finding]:
        settings = self.settings
        limits = [(self._setting("timeout"), "actions", settings.timeout)]
        for name, options in settings.action_options.items():
            limits.append((f"{settings.endpoints}:action_server.actions.{name}.timeout", name, options.timeout or 0))
        written = {seconds for _, _, seconds in limits}
        for action in self.package.registry if self.package else ():
            # Another one can only come from the code.
            seconds = settings.options.of(action.name, action.run).timeout or 0
            if seconds not in written:
                limits.append((action.place, action.name, seconds))
        for where, what, seconds in limits:
            if seconds > _LOCK_TIMEOUT:
                rule = "timeout-engine" if seconds >= _ENGINE_TIMEOUT else "timeout-lock"
                yield found(rule, where, what=what, seconds=f"{seconds:g}")

    async def online(self, engine: str | None, *, online: bool) -> list[Finding]:
        """Ask the running server, the running engine and the package's services."""
        findings: list[Finding] = []
        if online:
            findings += [finding async for finding in self._services()]
            if self.target and not self.endpoint.get("actions_module"):
                ask = self._ask_grpc if self.target.is_grpc else self._ask_http
                findings += [finding async for finding in ask(self.target)]
        if engine:
            findings += [finding async for finding in _ask_engine(engine)]
        return findings

    async def _services(self) -> AsyncIterator[Finding]:
        if self.package is None:
            return
        lifespan, where = self.package.lifespan, self.settings.actions
        try:
            async with services.open(lifespan, self.settings.services) as opened:
                _, answer = await Readiness(opened, state="ready").check()
        except Exception as exc:  # noqa: BLE001 - of a lifespan, which may raise anything
            place = place_of_failure(exc) or place_of(lifespan)
            problem = (
                str(exc) if isinstance(exc, StartupError) else f"the services cannot be opened: {type(exc).__name__}"
            )
            yield found("services-fail", place, problem=problem)
            return
        reasons = answer["reasons"]
        for reason in reasons if isinstance(reasons, list) else ():
            yield found("services-fail", where, problem=reason)

    async def _ask_http(self, target: Target) -> AsyncIterator[Finding]:
        tls = self._client_tls() if target.scheme == "https" else None
        where, (headers, query) = self.url_where, self.sent(target)
        async with _session(tls) as session:
            try:
                start = time.time()
                async with session.get(target.at("/health")) as answer:
                    if answer.status != 200:
                        yield found("unreachable", where, reason=f"GET /health is answered with {answer.status}")
                        return
                    for skew in _skew(answer, start):
                        yield found("clock-skew", where, seconds=skew)
                async with session.get(f"{target.at('/ready')}?{query}", headers=headers) as answer:
                    if answer.status in (401, 403):
                        yield found("server-refuses", where)
                    elif answer.status == 503:
                        body = await answer.json()
                        yield found("not-ready", where, reason="; ".join(map(str, body["reasons"])))
            except _FAILURES as exc:
                yield found("unreachable", where, reason=_reason(exc))

    async def _ask_grpc(self, target: Target) -> AsyncIterator[Finding]:
        made = self._channel(target)
        if made is None:
            # A file of it cannot be used, which is a finding of its own.
            return
        metadata = [(name.lower(), value) for name, value in self.sent(target)[0].items() if value.isascii()]
        async with made as channel:
            try:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE)
                actions = action_webhook_pb2_grpc.ActionServiceStub(channel).Actions
                await actions(action_webhook_pb2.ActionsRequest(), metadata=metadata, timeout=_PATIENCE)
            except grpc.aio.AioRpcError as exc:
                if exc.code() == grpc.StatusCode.UNAUTHENTICATED:
                    yield found("server-refuses", self.url_where)
                else:
                    word = exc.code().name.lower().replace("_", " ")
                    yield found("unreachable", self.url_where, reason=f"gRPC says {word}")

    def _channel(self, target: Target) -> Any:
        """Open a channel as the engine does; None if a file of it cannot be used."""
        address = target.at("").removeprefix("grpc://")
        files = [self.endpoint.get(name) for name in ("cafile", "ssl_client_key", "ssl_client_cert")]
        try:
            cafile, *pair = [Path(file).read_bytes() if file else None for file in files]
        except (OSError, ValueError):
            return None
        if cafile is None:
            return grpc.aio.insecure_channel(address)
        credentials = grpc.ssl_channel_credentials(cafile, *(pair if all(pair) else ()))
        return grpc.aio.secure_channel(address, credentials)

    def _server_tls(self) -> ssl.SSLContext | None:
        settings = self.settings
        # As rpc.py: over gRPC without a key of its own file there is no TLS.
        if settings.ssl_certificate is None or (settings.grpc and settings.ssl_keyfile is None):
            return None
        password = settings.ssl_password.get_secret_value() if settings.ssl_password else None
        return tls_context(settings.ssl_certificate, settings.ssl_keyfile, password, settings.ssl_ca_file)

    def _client_tls(self) -> ssl.SSLContext | None:
        """Return the engine's side of TLS; None if a file of it cannot be used."""
        pair = [self.endpoint.get(name) for name in ("ssl_client_cert", "ssl_client_key")]
        try:
            context = ssl.create_default_context(cafile=self.endpoint.get("cafile"))
            if all(pair) and self.target and self.target.is_grpc:
                context.load_cert_chain(str(pair[0]), str(pair[1]), password="")
        except (OSError, ValueError):
            return None
        return context

    def _at(self, key: str) -> str:
        return f"{self.settings.endpoints}:{_ENDPOINT}{'.' if key else ''}{key}"

    def _setting(self, name: str) -> str:
        block = self.settings.blocks.action_server.written
        in_file = isinstance(block, dict) and name in block
        return f"{self.settings.endpoints}:action_server.{name}" if in_file else f"setting {name}"

    def _expanded(self, value: Any) -> Any:
        def expand(text: str, _: str) -> str:
            if not _HAS_VARIABLE.search(text):
                return text
            return _VARIABLE.sub(lambda match: self.environment.get(match[1] or match[2], match[0]), text)

        return replace_texts(value, expand)

    def _unset(self, text: str) -> list[str]:
        if not _HAS_VARIABLE.search(text):
            return []
        # Only names in braces: `$word` may be a part of a password.
        names = [match[1] or "" for match in _VARIABLE.finditer(text)]
        return [name for name in names if name.isidentifier() and name not in self.environment]


def _texts(block: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in block.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value


def _has_its_kind(name: str, value: object) -> bool:
    kinds = _KINDS.get(name, ((object,), ""))[0]
    return isinstance(value, kinds) and not (name == "token" and isinstance(value, bool))


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return url.partition(":")[0].lower()


def _target(url: str) -> Target | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or port == 0:
        return None
    pair = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    credential = _basic(pair) if parts.username or parts.password else None
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], parts.path, parts.query, credential)


def _basic(pair: Mapping[str, Any]) -> str | None:
    """Return a user and a password as aiohttp encodes them; None if it does not."""
    if pair.get("username") is None or pair.get("password") is None or ":" in str(pair["username"]):
        return None
    with suppress(UnicodeEncodeError):
        return base64.b64encode(f"{pair['username']}:{pair['password']}".encode("latin-1")).decode()
    return None


def _fits_in_header(name: object, value: object, *, ascii_only: bool) -> bool:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name) or not isinstance(value, str):
        return False
    return all(c.isprintable() or c == "\t" for c in value) and (value.isascii() or not ascii_only)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str | None:
    """Let the two shake hands in memory; return why they cannot, None if they can."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        sides = (
            client.wrap_bio(to_client, to_server, server_hostname=host),
            server.wrap_bio(to_server, to_client, server_side=True),
        )
        for side in sides * 4:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except (ssl.SSLError, ValueError) as exc:
        return _tls_reason(exc)
    return None


def _tls_reason(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: OpenSSL's own words have the host in them.
        mismatch = exc.verify_code in (62, 64)
        return "the certificate is for another host" if mismatch else f"certificate: {exc.verify_message}"
    return (getattr(exc, "reason", None) or type(exc).__name__).lower().replace("_", " ")


# What aiohttp lets through: its own errors, and those of an answer that is not what it should be.
_FAILURES = (aiohttp.ClientError, OSError, ValueError, TimeoutError, asyncio.TimeoutError, KeyError, TypeError)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, (TimeoutError, asyncio.TimeoutError)):
        return f"there is no answer within {_PATIENCE:g} s"
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return f"TLS fails: {_tls_reason(exc.certificate_error)}"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return "the host's name is not known (DNS)"
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, ssl.SSLError):
        return f"TLS fails: {_tls_reason(cause)}"
    if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
        return "the connection is refused: nothing listens there"
    return f"what is there does not answer as one ({type(cause).__name__})"


def _session(tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=tls or True))


def _skew(answer: aiohttp.ClientResponse, start: float) -> Iterator[int]:
    """Find how far the answer's `Date`, which has no fractions, is outside of the time the request took."""
    with suppress(KeyError, ValueError):
        date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        skew = max(start - 1 - date, date - time.time())
        if skew > _SKEW:
            yield round(skew)


async def _ask_engine(url: str) -> AsyncIterator[Finding]:
    try:
        start = time.time()
        async with _session() as session, session.get(f"{url.rstrip('/')}/version") as answer:
            for skew in _skew(answer, start):
                yield found("clock-skew", "--engine", seconds=skew)
            major, minor = str((await answer.json())["version"]).split(".")[:2]
            if not (3, 6) <= (int(major), int(minor)) <= (3, 21):
                yield found("engine-version", "--engine")
    except _FAILURES as exc:
        yield found("engine-unreachable", "--engine", reason=_reason(exc))
