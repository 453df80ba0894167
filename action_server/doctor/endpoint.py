"""Rasa's ``action_endpoint`` as the engine understands it: where its calls go, and what it sends along."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from multidict import CIMultiDict

from action_server.doctor.endpoints_file import EndpointsFile
from action_server.endpoints import replace_texts
from action_server.security.auth import is_public
from action_server.source import Place

# The types of each entry, and the words for them. Numbers are fine as tokens; true is none.
KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
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
DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 443}
# What Rasa takes for text with a variable, and what it then replaces in it (os.path.expandvars).
_HAS_VARIABLE = re.compile(r"\$\{.*\}")
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|(\w+))", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Target:
    """Where the engine's calls go. ``credential`` is that of the url, as basic authentication sends it."""

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
    def is_any_host(self) -> bool:
        """Whether the host is an address that servers listen on, and nobody can call."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, as far as the address tells."""
        return self.is_any_host or not is_public(self.host)

    def at(self, path: str) -> str:
        """Return the url of another page of the same server."""
        prefix = self.path.rstrip("/").removesuffix("/webhook")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{prefix}{path}"


class Endpoint:
    """The block with its variables replaced. ``url`` stands for its own; ``url_place`` is where the url comes from.

    ``entries`` have the type they must have; ``wrong_types`` are the names of the others, which are findings and, for
    everything else, not there. ``target`` is None where the url names none.
    """

    def __init__(self, file: EndpointsFile, environment: Mapping[str, str], url: str | None) -> None:
        self.file = file
        self.url_place = Place(key="--url") if url else self.at("url")
        self._environment = environment
        self._written = {**file.action_endpoint, **({"url": url} if url else {})}
        replaced = {str(name): self._replace(value) for name, value in self._written.items() if value is not None}
        self.entries = {name: value for name, value in replaced.items() if _has_its_kind(name, value)}
        self.wrong_types = [name for name in replaced if name not in self.entries]
        self.target = target_of(self.entries.get("url", ""))

    @property
    def runs_in_engine(self) -> bool:
        """Whether the engine runs the actions itself, and calls no server."""
        return bool(self.entries.get("actions_module"))

    def at(self, key: str) -> Place:
        """Return the place of an entry; of the block without one."""
        return self.file.at(f"action_endpoint.{key}" if key else "action_endpoint")

    def headers(self) -> dict[str, str]:
        """Return the block's headers that can be sent."""
        headers = self.entries.get("headers", {})
        return {name: value for name, value in headers.items() if fits_in_header(name, value, ascii_only=False)}

    def credentials_for(self, target: Target) -> tuple[CIMultiDict[str], str]:
        """Return the headers and the query of the engine's calls, as aiohttp and gRPC make them."""
        headers = CIMultiDict(self.headers())
        if target.is_grpc:
            return headers, ""
        credential = target.credential or encode_basic(self.entries.get("basic_auth", {}))
        if credential:
            headers["Authorization"] = f"Basic {credential}"
        pairs = dict(self.entries.get("params", {}))
        if self.entries.get("token"):
            pairs[self.entries.get("token_name", "token")] = self.entries["token"]
        return headers, "&".join(part for part in (target.query, urlencode(pairs, errors="surrogatepass")) if part)

    def unset_variables(self) -> Iterator[tuple[str, str]]:
        """Yield, for each variable that the environment lacks, the key of its entry and its name."""
        for path, text in _texts(self._written):
            # Only names in braces: `$word` may be a part of a password.
            for match in _VARIABLE.finditer(text) if _HAS_VARIABLE.search(text) else ():
                name = match[1] or ""
                if name.isidentifier() and name not in self._environment:
                    yield path, name

    def _replace(self, value: Any) -> Any:
        def expand(text: str, _: str) -> str:
            if not _HAS_VARIABLE.search(text):
                return text
            return _VARIABLE.sub(lambda match: self._environment.get(match[1] or match[2], match[0]), text)

        return replace_texts(value, expand)


def scheme_of(url: str) -> str:
    """Return the scheme of a url, also of one that cannot be read to its end."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return url.partition(":")[0].lower()


def target_of(url: str) -> Target | None:
    """Return where a url leads; None if the engine cannot call it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or port == 0:
        return None
    pair = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    credential = encode_basic(pair) if parts.username or parts.password else None
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], parts.path, parts.query, credential)


def encode_basic(pair: Mapping[str, Any]) -> str | None:
    """Return a user and a password as aiohttp encodes them; None if it does not."""
    if pair.get("username") is None or pair.get("password") is None or ":" in str(pair["username"]):
        return None
    with suppress(UnicodeEncodeError):
        return base64.b64encode(f"{pair['username']}:{pair['password']}".encode("latin-1")).decode()
    return None


def fits_in_header(name: object, value: object, *, ascii_only: bool) -> bool:
    """Tell whether aiohttp, or with ``ascii_only`` gRPC, can send a header."""
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name) or not isinstance(value, str):
        return False
    return all(c.isprintable() or c == "\t" for c in value) and (value.isascii() or not ascii_only)


def _has_its_kind(name: str, value: object) -> bool:
    kinds = KINDS.get(name, ((object,), ""))[0]
    return isinstance(value, kinds) and not (name == "token" and isinstance(value, bool))


def _texts(block: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in block.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value
