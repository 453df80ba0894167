"""Who may call: the settings under ``auth:``, and the check of a request's credentials against them.

One valid credential opens, whichever of the configured ways it comes in. A request without one never hears what was
wrong with the credential it has.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, get_args
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from action_server.errors import SettingsError, UnauthorizedError
from action_server.extras import packages_for
from action_server.security.jwt import Algorithm, Key, Verifier, hmac_keys, jwks_keys, pem_keys
from action_server.security.secrets import SecretFile, Secrets, problem_of, read_bytes, refuse_nothing, texts
from action_server.security.watched_files import WatchedFiles

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)
# Longest credential looked at, in characters. Sanic takes at most 16 KiB of headers altogether.
_LONGEST = 16 * 1024
# Probes have no credentials, and the answer tells nothing.
_ALWAYS_OPEN = "/health"
# What probes and scrapers ask for, which may be opened to them alone.
MonitoringPath = Literal["/ready", "/metrics"]
_MONITORING_PATHS: frozenset[str] = frozenset(get_args(MonitoringPath))
# RFC 9110, 5.6.2.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Identity:
    """Who calls, fit for a log: the way it was shown, and the number of the secret, the user or the JWT's subject."""

    method: Literal["token", "query token", "header", "basic", "jwt", "monitor"]
    name: str


def _several(value: object) -> object:
    return (value,) if isinstance(value, (str, Mapping)) else value


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several), Field(min_length=1)]


class BasicSettings(BaseModel):
    """A user of basic authentication; with several passwords while one is being replaced."""

    model_config = _MODEL

    username: str
    password: Secrets

    @field_validator("username")
    @classmethod
    def _is_a_user(cls, value: str) -> str:
        # RFC 7617, 2: the first colon ends the name.
        problem = "has a colon" if ":" in value else problem_of(value)
        if problem:
            raise ValueError(f"the user's name {problem}")
        return value


class JwtSettings(BaseModel):
    """Which JSON Web Tokens open. ``exp`` is required of each; ``leeway`` is in seconds."""

    model_config = _MODEL

    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(_several), Field(min_length=1)]
    secret: Secrets = ()
    public_key_file: Path | None = None
    jwks_file: Path | None = None
    issuer: Names | None = None
    audience: Names | None = None
    leeway: float = Field(default=0, ge=0, le=300)

    _is_something = field_validator("*", mode="before")(refuse_nothing)

    @model_validator(mode="after")
    def _has_one_kind_of_key(self) -> JwtSettings:
        if sum(map(bool, (self.secret, self.public_key_file, self.jwks_file))) != 1:
            raise ValueError("needs one of secret, public_key_file and jwks_file")
        # Were HS256 allowed beside RS256, whoever has the public key could sign with it (RFC 8725, 2.1).
        if any(algorithm.startswith("HS") != bool(self.secret) for algorithm in self.algorithms):
            raise ValueError("HS... algorithms go with secret, all others with public_key_file or jwks_file")
        return self

    def keys(self) -> list[Key]:
        """Read the keys. Raises :class:`SettingsError`."""
        with packages_for("auth.jwt"):
            return self._read_keys("auth.jwt")

    def _read_keys(self, where: str) -> list[Key]:
        if self.public_key_file:
            where = f"{where}.public_key_file"
            return pem_keys(read_bytes(self.public_key_file, where), self.algorithms, where)
        if self.jwks_file:
            where = f"{where}.jwks_file"
            return jwks_keys(read_bytes(self.jwks_file, where), self.algorithms, where)
        where = f"{where}.secret"
        return hmac_keys(list(texts(self.secret, where)), self.algorithms, where)


class AuthSettings(BaseModel):
    """What opens this server. Nothing set: everything is open.

    Attributes:
        open_paths: what probes and scrapers may ask for without a credential, besides ``/health``.
        monitor_tokens: bearer tokens that open ``/ready`` and ``/metrics``, and nothing else.
    """

    model_config = _MODEL

    tokens: Secrets = ()
    token_name: str = Field(default="token", min_length=1)
    headers: dict[str, Secrets] = {}
    basic: Annotated[tuple[BasicSettings, ...], BeforeValidator(_several)] = ()
    jwt: JwtSettings | None = None
    open_paths: Annotated[tuple[MonitoringPath, ...], BeforeValidator(_words)] = ()
    monitor_tokens: Secrets = ()

    _is_something = field_validator("*", mode="before")(refuse_nothing)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, Secrets]) -> dict[str, Secrets]:
        if not all(_HEADER_NAME.fullmatch(name) for name in value):
            raise ValueError("the name of a header has a character no such name can have")
        return value

    @model_validator(mode="after")
    def _opens_somehow(self) -> AuthSettings:
        # An emptied list must not open what was closed before.
        if self.model_fields_set and not (self.tokens or self.headers or self.basic or self.jwt):
            raise ValueError("needs at least one of tokens, headers, basic and jwt")
        if "token_name" in self.model_fields_set and not self.tokens:
            raise ValueError("token_name does nothing without tokens: set tokens, or leave it out")
        return self


class Headers(Protocol):
    """The headers of a request: those of Sanic, or ``CIMultiDict(metadata)`` of gRPC."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return all values of a header, whatever the case of its name."""
        ...


class Authenticator:
    """Checks requests. To be made once in a process; files that the settings name are read again when they change.

    Raises:
        SettingsError: a file cannot be read, or has no usable secret or key.
    """

    def __init__(self, settings: AuthSettings) -> None:
        self._credentials = WatchedFiles(_files_of(settings), lambda: _Credentials(settings), what="auth")

    @property
    def enabled(self) -> bool:
        """Whether anything is closed. If not, do not :meth:`check`: there is no credential that would do."""
        return bool(self._credentials.get())

    def admit(self, path: str, headers: Headers, query: str = "") -> Identity | None:
        """Return who asks for a path of HTTP; None for somebody unknown who may ask for this one.

        Raises:
            UnauthorizedError: the path is not open, and no credential is valid for it.
        """
        return self._credentials.get().admit(path, headers, query)

    def check(self, headers: Headers, query: str = "") -> Identity:
        """Return who sent a request with these headers and this query string (what stands after the ``?``).

        Raises:
            UnauthorizedError: no credential is valid.
        """
        return self._credentials.get().check(headers, query)


class _Credentials:
    """All that opens, as the settings and their files are at one moment."""

    def __init__(self, settings: AuthSettings) -> None:
        # Digests under a key of this process are of one length, and worth nothing elsewhere, whatever may print them.
        key = os.urandom(32)
        self._tokens = _Known(key, _number("token", texts(settings.tokens, "auth.tokens")))
        self._token_name = settings.token_name
        self._headers = [
            (spelling, _Known(key, _number(name, texts(secrets, f"auth.headers.{name}"))))
            for name, secrets in settings.headers.items()
            for spelling in _spellings(name)
        ]
        self._basic = _Known(key, _users(settings.basic))
        self._jwt = _verifier(settings.jwt) if settings.jwt else None
        self._challenge = _challenge(settings)
        self._open_paths = {_ALWAYS_OPEN, *settings.open_paths}
        monitors = list(texts(settings.monitor_tokens, "auth.monitor_tokens"))
        if any(self._tokens.find(_bytes(token)) for token in monitors):
            problem = "has one of auth.tokens: whoever scrapes could call every action with it; make another one"
            raise SettingsError("auth.monitor_tokens", problem)
        self._monitors = _Known(key, _number("monitor", monitors))

    def __bool__(self) -> bool:
        return bool(self._tokens or self._headers or self._basic or self._jwt)

    def admit(self, path: str, headers: Headers, query: str = "") -> Identity | None:
        page = path.removesuffix("/")
        if page in _MONITORING_PATHS and (monitor := self._by_monitor_token(headers)):
            return monitor
        try:
            return self.check(headers, query)
        except UnauthorizedError:
            if page in self._open_paths:
                return None
            raise

    def check(self, headers: Headers, query: str = "") -> Identity:
        identity = self._by_authorization(headers) or self._by_header(headers) or self._by_query(query)
        if identity is None:
            raise UnauthorizedError(self._challenge)
        return identity

    def _by_authorization(self, headers: Headers) -> Identity | None:
        scheme, _, credential = _only(headers, "authorization").partition(" ")
        scheme, credential = scheme.lower(), credential.lstrip(" ")
        if scheme == "bearer":
            return self._by_bearer(credential)
        return self._by_basic(credential) if scheme == "basic" else None

    def _by_monitor_token(self, headers: Headers) -> Identity | None:
        scheme, _, credential = _only(headers, "authorization").partition(" ")
        name = self._monitors.find(_bytes(credential.lstrip(" "))) if scheme.lower() == "bearer" else None
        return None if name is None else Identity("monitor", name)

    def _by_bearer(self, credential: str) -> Identity | None:
        token = self._tokens.find(_bytes(credential))
        if token is not None:
            return Identity("token", token)
        subject = self._jwt.subject(credential) if self._jwt else None
        return None if subject is None else Identity("jwt", subject)

    def _by_basic(self, credential: str) -> Identity | None:
        try:
            pair = base64.b64decode(credential, validate=True)
        except ValueError:
            return None
        user = self._basic.find(pair)
        return None if user is None else Identity("basic", user)

    def _by_header(self, headers: Headers) -> Identity | None:
        found = [known.find(_bytes(_only(headers, name))) for name, known in self._headers]
        return next((Identity("header", name) for name in found if name is not None), None)

    def _by_query(self, query: str) -> Identity | None:
        if not query or not self._tokens or len(query) > _LONGEST:
            return None
        pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        values = [value for name, value in pairs if name == self._token_name]
        # As with headers: of two, a proxy may have looked at the other one.
        token = self._tokens.find(_bytes(values[0])) if len(values) == 1 else None
        return None if token is None else Identity("query token", token)


class _Known:
    """The digests of secrets, each with a name that may be shown."""

    def __init__(self, key: bytes, secrets: Iterable[tuple[str, bytes]]) -> None:
        self._key = key
        self._digests = [(name, self._digest(secret)) for name, secret in secrets]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, value: bytes) -> str | None:
        """Return the name of the secret that this is. All are compared, so that the time tells nothing of them."""
        digest = self._digest(value)
        found = None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _digest(self, value: bytes) -> bytes:
        return hmac.digest(self._key, value, "sha256")


def _files_of(settings: AuthSettings) -> list[Path]:
    """Return the files that credentials stand in."""
    jwt = settings.jwt
    sources = [*settings.tokens, *settings.monitor_tokens, *(jwt.secret if jwt else ())]
    sources += [source for secrets in settings.headers.values() for source in secrets]
    sources += [source for user in settings.basic for source in user.password]
    keys = (jwt.public_key_file, jwt.jwks_file) if jwt else ()
    return [*(s.file for s in sources if isinstance(s, SecretFile)), *(key for key in keys if key)]


def _number(name: str, secrets: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    return ((f"{name} #{number}", _bytes(secret)) for number, secret in enumerate(secrets, 1))


def _users(users: Iterable[BasicSettings]) -> Iterator[tuple[str, bytes]]:
    for user in users:
        for password in texts(user.password, "auth.basic.password"):
            pair = f"{user.username}:{password}"
            yield user.username, _bytes(pair)
            # Engines send latin-1; curl and browsers UTF-8.
            if not pair.isascii() and max(pair) <= "\xff":
                yield user.username, pair.encode("latin-1")


def _verifier(settings: JwtSettings) -> Verifier:
    return Verifier(settings.keys(), issuer=settings.issuer, audience=settings.audience, leeway=settings.leeway)


def _spellings(name: str) -> list[str]:
    """Return a header's names: a variable of the environment, which may have named it, cannot have a hyphen."""
    return [name] if "_" not in name else [name, name.replace("_", "-")]


def _only(headers: Headers, name: str) -> str:
    """Return a header's value, "" for none: missing, too long, or one of two, where a proxy may have seen the other."""
    values = headers.getall(name, [])
    return values[0].strip(" \t") if len(values) == 1 and len(values[0]) <= _LONGEST else ""


def _bytes(text: str) -> bytes:
    # Undecodable bytes come as lone surrogates, in headers from Sanic, in queries from `parse_qsl`.
    return text.encode("utf-8", "surrogatepass")


def _challenge(settings: AuthSettings) -> str:
    schemes = ["Bearer"] if settings.tokens or settings.jwt else []
    schemes += ["Basic"] if settings.basic else []
    # RFC 9110, 15.5.2: a 401 names a scheme, also where only headers of one's own open.
    return ", ".join(f'{scheme} realm="action server"' for scheme in schemes or ["ApiKey"])


def is_public(host: str) -> bool:
    """Tell whether others than this machine can reach an address to listen on; names are taken for ones they can."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name not in ("localhost", "ip6-localhost", "ip6-loopback") and not name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_loopback
