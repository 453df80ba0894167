"""Where a request came from, for the log: the address of the connection, or what a trusted proxy says of it.

Anybody can write ``Forwarded`` (RFC 7239) or ``X-Forwarded-For`` into a request, and each proxy on the way adds the
address it was called from at the end. So they are read from the end, and no further than to the first address that is
none of our own proxies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from sanic import Request

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
# One parameter of Forwarded: a token, or text in quotes.
_FOR = re.compile(r'(?:^|;)[ \t]*for=(?:"([^"]*)"|([^;," \t]*))', re.IGNORECASE)
_MOST_HOPS = 32


class ClientAddresses:
    """Knows the proxies whose word counts. ``proxies`` are networks, such as ``10.0.0.0/8``."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._networks: tuple[_Network, ...] = tuple(ip_network(network, strict=False) for network in proxies)

    def is_proxy(self, address: str) -> bool:
        """Tell whether a connection from here is a trusted proxy's."""
        found = _parse(address) if self._networks else None
        return found is not None and self._trusts(found)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the client's address; ``peer`` is a trusted proxy's, names of headers are in small letters.

        A proxy writes one of the two headers and passes the other one on as it came. So where both are there and do not
        agree, neither counts.
        """
        found = {
            self._last_stranger(peer, hops)
            for hops in (_forwarded(headers.get("forwarded", "")), headers.get("x-forwarded-for", "").split(","))
            if any(hops)
        }
        return found.pop() if len(found) == 1 else peer

    def _last_stranger(self, peer: str, hops: list[str]) -> str:
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _parse(hop)
            if address is None:
                # Hidden on purpose, or nonsense: nobody before it is known to have said anything.
                return peer
            peer = str(address)
            if not self._trusts(address):
                break
        return peer

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def peer_of(transport: object) -> str:
    """Return the address at the other end of a connection; "" for a socket that has none."""
    name = transport.get_extra_info("peername") if hasattr(transport, "get_extra_info") else None
    return str(name[0]) if isinstance(name, tuple) and name else ""


def client_of(request: Request, addresses: ClientAddresses) -> str:
    """Return where a request came from that Sanic reads."""
    peer = peer_of(request.transport)
    if not addresses.is_proxy(peer):
        return peer
    names = ("forwarded", "x-forwarded-for")
    return addresses.client(peer, {name: ", ".join(request.headers.getall(name, [])) for name in names})


def _forwarded(text: str) -> list[str]:
    """Return what each element of Forwarded says of ``for``, "" if it does not."""
    if not text:
        return []
    found = [_FOR.search(element) for element in text.split(",")]
    return [(match.group(1) or match.group(2) or "") if match else "unknown" for match in found]


def _parse(text: str) -> _Address | None:
    """Return an address, with or without a port, of IPv6 with or without brackets; None for anything else."""
    text = text.strip(" \t")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket of both families names callers of IPv4 so.
    return getattr(address, "ipv4_mapped", None) or address
