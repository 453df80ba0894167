"""When a host is left alone, and who finds out whether it is back."""

from __future__ import annotations

import asyncio

import pytest

from actions.transport.breaker import Breaker, CircuitOpen


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    """A breaker that opened just now, for ten seconds."""
    breaker = Breaker("https://crm", clock)
    with breaker.admit() as request:
        request.fail(1, 10.0, "it answered 500")
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    """A success in between begins the row anew."""
    breaker = Breaker("https://crm", Clock())
    for verdict in ("bad", "good", "bad", "bad"):
        with breaker.admit() as request:
            if verdict == "bad":
                request.fail(2, 10.0, "it answered 500")
            else:
                request.succeed()

    with pytest.raises(CircuitOpen) as caught:
        breaker.admit()
    assert (caught.value.seconds, caught.value.reason) == (10.0, "it answered 500")


def test_half_open_lets_one_through() -> None:
    """And that one decides: a failure opens it for another pause, a success closes it."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    with breaker.admit() as probe:
        with pytest.raises(CircuitOpen):
            breaker.admit()
        probe.fail(100, 10.0, "it answered 502")
    with pytest.raises(CircuitOpen, match="502"):
        breaker.admit()
    clock.now += 10
    with breaker.admit() as probe:
        probe.succeed()

    assert not breaker.is_open


def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    """Or the host would be left alone for ever."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    with pytest.raises(asyncio.CancelledError), breaker.admit():
        raise asyncio.CancelledError

    with breaker.admit() as probe:
        probe.succeed()
    assert not breaker.is_open


def test_requests_from_before_do_not_decide() -> None:
    """They began while the host was asked by everybody; what they say is old."""
    clock = Clock()
    breaker = Breaker("https://crm", clock)
    with breaker.admit() as old, breaker.admit() as other:
        with breaker.admit() as request:
            request.fail(1, 10.0, "it answered 500")
        clock.now += 5
        old.succeed()
        other.fail(1, 10.0, "later")

    assert breaker.is_open
    clock.now += 5
    breaker.check()
