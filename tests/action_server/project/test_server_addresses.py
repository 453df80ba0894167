"""Addresses of servers are compared, whatever name this machine is called by."""

from __future__ import annotations

from action_server.project.server_addresses import address_of, own_addresses


def test_addresses_of_this_machine_are_one() -> None:
    """With the scheme's port; what is no address is none."""
    assert address_of("http://127.0.0.1:5055/mcp") == address_of("http://localhost:5055/") == ("localhost", 5055)
    assert address_of("https://h/mcp") == ("h", 443)
    assert [address_of(url) for url in ("", "mcp", "http://h:port/")] == [None, None, None]


def test_the_own_server_is_where_its_webhook_is_and_on_its_port() -> None:
    """A webhook without an address adds none."""
    assert own_addresses("http://actions:5055/webhook", 5056) == {("actions", 5055), ("localhost", 5056)}
    assert own_addresses("", 5055) == {("localhost", 5055)}
