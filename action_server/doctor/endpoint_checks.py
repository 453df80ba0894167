"""What is wrong with ``action_endpoint`` by itself, and with what it sends to a server of these settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from multidict import CIMultiDict

from action_server.config.settings import Settings
from action_server.doctor import endpoint_rules as rules
from action_server.doctor.endpoint import (
    DEFAULT_PORTS,
    KINDS,
    Endpoint,
    Target,
    encode_basic,
    fits_in_header,
    scheme_of,
)
from action_server.errors import UnauthorizedError
from action_server.findings.finding import Finding
from action_server.security.auth import Authenticator

_CREDENTIAL = re.compile(r"auth|token|key|secret|cookie", re.IGNORECASE)


def check_shape(endpoint: Endpoint) -> Iterator[Finding]:
    """Check that there is an endpoint, and that each of its entries has the type and the variables it needs."""
    entries = endpoint.entries
    if endpoint.runs_in_engine:
        rule = rules.URL_AND_MODULE if entries.get("url") else rules.MODULE_ONLY
        yield Finding.of(rule, endpoint.at("actions_module"))
    elif not entries.get("url"):
        yield Finding.of(rules.ENDPOINT_MISSING, endpoint.file.at(""))
    for name in endpoint.wrong_types:
        yield Finding.of(rules.ENDPOINT_SHAPE, endpoint.at(name), kind=KINDS[name][1])
    for name, value in entries.get("params", {}).items():
        if value is None or isinstance(value, (bool, dict)):
            yield Finding.of(rules.ENDPOINT_SHAPE, endpoint.at(f"params.{name}"), kind="text or a number")
    for path, name in endpoint.unset_variables():
        yield Finding.of(rules.VARIABLE_UNSET, endpoint.at(path), name=name)
    if entries.get("enable_selective_domain") is True:
        yield Finding.of(rules.SELECTIVE_DOMAIN, endpoint.at("enable_selective_domain"))


def check_url(endpoint: Endpoint, settings: Settings) -> Iterator[Finding]:
    """Check the url against what the engine calls and this server serves."""
    url, target, at = endpoint.entries.get("url"), endpoint.target, endpoint.url_place
    if target is None:
        if url:
            yield Finding.of(rules.URL_HOST if scheme_of(url) in DEFAULT_PORTS else rules.URL_SCHEME, at)
        return
    path = target.path.removesuffix("/")
    if not target.is_grpc and path != "/webhook":
        behind_proxy = path.endswith("/webhook") and not target.is_local
        yield Finding.of(rules.URL_PREFIX if behind_proxy else rules.URL_PATH, at)
    if target.is_any_host:
        yield Finding.of(rules.URL_ANY_HOST, at)
    port = settings.port_of(grpc=target.is_grpc)
    port = settings.port if port is None else port
    if target.is_local and port not in (0, target.port):
        yield Finding.of(rules.URL_PORT, at, port=port)


def check_headers(endpoint: Endpoint, target: Target) -> Iterator[Finding]:
    """Check that the engine can send what it is told to send."""
    for name, value in endpoint.entries.get("headers", {}).items():
        at = endpoint.at(f"headers.{name}")
        if target.is_grpc and name != str(name).lower():
            yield Finding.of(rules.GRPC_HEADER_CASE, at)
        if not fits_in_header(name, value, ascii_only=target.is_grpc):
            yield Finding.of(rules.HEADER_VALUE, at, transport="gRPC" if target.is_grpc else "HTTP")
        elif not value.isascii():
            yield Finding.of(rules.HEADER_ENCODING, at)
    for name in ("basic_auth", "token", "params"):
        if target.is_grpc and endpoint.entries.get(name):
            yield Finding.of(rules.GRPC_UNSENT, endpoint.at(name))


def check_credentials(endpoint: Endpoint, target: Target, authenticator: Authenticator) -> Iterator[Finding]:
    """Check what the engine sends by the server's own `auth:`, and where it can be read on the way."""
    entries = endpoint.entries
    headers, query = endpoint.credentials_for(target)
    basic = bool(entries.get("basic_auth")) and not target.is_grpc
    if basic and encode_basic(entries["basic_auth"]) is None:
        yield Finding.of(rules.BASIC_AUTH, endpoint.at("basic_auth"))
    if (basic or target.credential) and any(str(name).lower() == "authorization" for name in endpoint.headers()):
        yield Finding.of(rules.AUTH_TWICE, endpoint.at("basic_auth" if basic else "url"))
    has_token = bool(entries.get("token")) and not target.is_grpc
    sends = basic or has_token or target.credential or _CREDENTIAL.search(str([*headers]))
    if not authenticator.enabled:
        if sends:
            yield Finding.of(rules.AUTH_NOT_ASKED, endpoint.at(""))
    elif not _is_accepted(authenticator, headers, query):
        yield Finding.of(rules.AUTH_REFUSED if sends else rules.AUTH_NOT_SENT, endpoint.at(""))
    in_url = entries.get("token") or _CREDENTIAL.search(f"{[*entries.get('params', ())]}{target.query}")
    if in_url and target.scheme == "http" and not target.is_local:
        yield Finding.of(rules.TOKEN_IN_THE_CLEAR, endpoint.at("token" if entries.get("token") else "params"))


def _is_accepted(authenticator: Authenticator, headers: CIMultiDict[str], query: str) -> bool:
    try:
        authenticator.check(headers, query)
    except UnauthorizedError:
        return False
    return True
