"""Who called: a proxy is believed if it is one of ours, and its caller never."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from action_server.config import settings
from action_server.errors import SettingsError
from action_server.serving.http.client_addresses import ClientAddresses
from tests.action_server.serving.http.raw_calls import GOOD, PLAIN, body_of, exchange, request, serving

OURS = ClientAddresses(["10.0.0.0/8", "fd00::/8"])

SAID = {
    "nothing": ({}, "10.0.0.1"),
    "one address": ({"x-forwarded-for": "192.0.2.7"}, "192.0.2.7"),
    "a forged one before it": ({"x-forwarded-for": "198.51.100.1, 192.0.2.7"}, "192.0.2.7"),
    "two proxies of ours": ({"x-forwarded-for": "192.0.2.7, 10.0.0.2"}, "192.0.2.7"),
    "nobody but proxies": ({"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
    "nonsense before a proxy": ({"x-forwarded-for": "192.0.2.7, nonsense, 10.0.0.2"}, "10.0.0.2"),
    "nonsense": ({"x-forwarded-for": "x"}, "10.0.0.1"),
    "a port": ({"x-forwarded-for": "192.0.2.7:4711"}, "192.0.2.7"),
    "IPv6": ({"x-forwarded-for": "2001:db8::7"}, "2001:db8::7"),
    "Forwarded": ({"forwarded": "for=192.0.2.7;proto=https"}, "192.0.2.7"),
    "Forwarded with IPv6": ({"forwarded": 'by=10.0.0.2;For="[2001:db8::7]:80", for="[fd00::1]"'}, "2001:db8::7"),
    "Forwarded that hides": ({"forwarded": "for=_hidden"}, "10.0.0.1"),
    "Forwarded that does not say": ({"forwarded": "for=192.0.2.7, proto=https"}, "10.0.0.1"),
    "both, the same": ({"forwarded": "for=192.0.2.7", "x-forwarded-for": "192.0.2.7"}, "192.0.2.7"),
    "both, and one is forged": ({"forwarded": "for=198.51.100.1", "x-forwarded-for": "192.0.2.7"}, "10.0.0.1"),
    "thousands": ({"x-forwarded-for": "1," * 9000}, "10.0.0.1"),
}


@pytest.mark.parametrize("case", SAID)
def test_the_last_address_that_is_no_proxy_of_ours_is_the_client(case: str) -> None:
    """Whatever stands before it anybody may have written."""
    headers, client = SAID[case]

    assert OURS.client("10.0.0.1", headers) == client


def test_only_our_proxies_are_believed() -> None:
    """By default nobody is."""
    assert OURS.is_proxy("10.1.2.3")
    assert OURS.is_proxy("::ffff:10.1.2.3")
    assert not OURS.is_proxy("192.0.2.7")
    assert not OURS.is_proxy("")
    assert not ClientAddresses().is_proxy("127.0.0.1")


@pytest.mark.parametrize("way", [[], [PLAIN]], ids=["fast", "plain"])
async def test_the_log_says_who_called(way: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """Of calls and of what became none; a header without a trusted proxy changes nothing."""
    caplog.set_level(logging.INFO)
    said = "X-Forwarded-For: 198.51.100.1, 192.0.2.7"
    for trusted, client in ((), "127.0.0.1"), (("127.0.0.1",), "192.0.2.7"):
        caplog.clear()
        async with serving(trusted_proxies=trusted) as port:
            for body in (GOOD, b"{", body_of("action_nobody")):
                await exchange(port, request(body, said, *way))

        assert [(r.msg, vars(r)["client"]) for r in caplog.records if "client" in vars(r)] == [
            ("action.finished", client),
            ("call.refused", client),
            ("action.finished", client),
        ]


def test_a_network_that_is_none_ends_the_start() -> None:
    """Nobody is trusted by mistake."""
    assert settings.read({"trusted_proxies": "10.0.0.0/8 ::1"}, {}).trusted_proxies == ("10.0.0.0/8", "::1")
    with pytest.raises(SettingsError, match="must be addresses or networks"):
        settings.read({}, {"ACTION_SERVER__TRUSTED_PROXIES": f"proxy-{uuid4().hex}"})
