"""Who sent an RPC, and what its metadata says of the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from multidict import CIMultiDict

from action_server.protocol.which_engine import HEADER as ENGINE
from action_server.protocol.which_engine import engine_named
from action_server.serving.http.client_addresses import ClientAddresses
from action_server.serving.http.request_ids import HEADER, request_id_of

_REQUEST_ID = HEADER.lower()


class Context(Protocol):
    """What an RPC's context tells of who called."""

    def peer(self) -> str:
        """Return the address in gRPC's words: family, address, port."""
        ...

    def invocation_metadata(self) -> Any:
        """Return names and values."""
        ...


class Caller(NamedTuple):
    """One RPC: the caller's address, the id for the log, the metadata, the size of the request in bytes.

    ``patience`` is how many seconds are left of the caller's deadline, None if there is none; ``engine`` is the name of
    the engine that calls, "" if it tells none.
    """

    client: str
    request_id: str
    metadata: Any
    size: int
    patience: float | None
    engine: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """The metadata as headers of HTTP."""
        return CIMultiDict((name, value) for name, value in self.metadata or () if isinstance(value, str))


def read_caller(context: Any, size: int, addresses: ClientAddresses) -> Caller:
    """Return what an RPC tells of itself."""
    metadata = context.invocation_metadata()
    texts = [(name, value) for name, value in metadata or () if isinstance(value, str)]
    request_id = request_id_of(next((value for name, value in texts if name == _REQUEST_ID), ""))
    engine = engine_named(value for name, value in texts if name == ENGINE)
    return Caller(caller_of(context, addresses), request_id, metadata, size, context.time_remaining(), engine)


def caller_of(context: Context, addresses: ClientAddresses) -> str:
    """Return the address an RPC came from: the connection's, or what a trusted proxy says of it in the metadata."""
    family, _, address = unquote(context.peer() or "").partition(":")
    if family not in ("ipv4", "ipv6"):
        return ""
    peer = address.rpartition(":")[0].strip("[]")
    if not addresses.is_proxy(peer):
        return peer
    told: CIMultiDict[Any] = CIMultiDict(context.invocation_metadata() or ())
    names = ("forwarded", "x-forwarded-for")
    return addresses.client(peer, {name: ", ".join(map(str, told.getall(name, []))) for name in names})
