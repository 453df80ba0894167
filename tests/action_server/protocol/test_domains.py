"""Several assistants side by side: each call gets its own domain, its own copy of it, and 449 only if that helps."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from action_server.errors import MissingDomainError, RequestError
from action_server.protocol.calls import _DOMAIN_FIELDS, Call
from action_server.protocol.domains import Domains
from action_server.runtime.executor import Executor
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry

PROPERTY = settings(deadline=None, max_examples=150)


def call(digest: str | None = None, domain: dict[str, Any] | None = None) -> Call:
    return Call("action_book", "user-1", {}, domain, digest, "3.21.0")


def domain(name: str) -> dict[str, Any]:
    return {"assistant": name, "slots": {"size": {"type": "float"}}, "actions": ["action_book"]}


def is_known(domains: Domains, digest: str) -> bool:
    """Tell whether a call with nothing but the digest gets its domain."""
    try:
        return bool(domains.domain_for(call(digest), needed=True))
    except MissingDomainError:
        return False


def test_the_first_call_of_a_digest_asks_for_the_domain() -> None:
    """The engine is asked to retry, under the action's name."""
    with pytest.raises(MissingDomainError) as asked:
        Domains(2).domain_for(call("d1"), needed=True)

    assert asked.value.action == "action_book"


def test_the_retry_brings_the_domain_and_later_calls_need_none() -> None:
    """After one 449 the digest is enough."""
    domains = Domains(2)

    assert domains.domain_for(call("d1", domain("one")), needed=True) == domain("one")
    assert domains.domain_for(call("d1"), needed=True) == domain("one")


@pytest.mark.parametrize("digest", [None, ""], ids=["no digest", "an empty digest"])
@pytest.mark.parametrize("needed", [True, False], ids=["needed", "not needed"])
def test_an_engine_without_digests_is_never_asked(digest: str | None, needed: bool) -> None:
    """Rasa Open Source takes 449 for a failure: what it did not send is empty."""
    domains = Domains(2)

    assert domains.domain_for(call(digest), needed=needed) == {}
    assert domains.domain_for(call(digest, domain("one")), needed=needed) == domain("one")
    assert domains.domain_for(call(digest), needed=needed) == {}
    assert len(domains) == 0


def test_two_assistants_do_not_evict_each_other() -> None:
    """Turn by turn, each gets its own domain."""
    domains = Domains(2)
    domains.domain_for(call("d1", domain("one")), needed=True)
    domains.domain_for(call("d2", domain("two")), needed=True)

    for _ in range(3):
        assert domains.domain_for(call("d1"), needed=True) == domain("one")
        assert domains.domain_for(call("d2"), needed=True) == domain("two")


def test_what_was_used_longest_ago_goes_first() -> None:
    """A domain in use stays, whenever it came."""
    domains = Domains(2)
    domains.domain_for(call("d1", domain("one")), needed=True)
    domains.domain_for(call("d2", domain("two")), needed=True)
    domains.domain_for(call("d1"), needed=True)

    domains.domain_for(call("d3", domain("three")), needed=True)

    assert [is_known(domains, d) for d in ("d1", "d2", "d3")] == [True, False, True]


def test_a_use_that_does_not_read_the_domain_keeps_it() -> None:
    """An assistant whose other actions run all day is not forgotten."""
    domains = Domains(2)
    domains.domain_for(call("d1", domain("one")), needed=True)
    domains.domain_for(call("d2", domain("two")), needed=True)
    domains.domain_for(call("d1"), needed=False)

    domains.domain_for(call("d3", domain("three")), needed=True)

    assert is_known(domains, "d1")


def test_an_evicted_domain_is_asked_for_again() -> None:
    """Forgetting costs one retry, not the conversation."""
    domains = Domains(1)
    domains.domain_for(call("d1", domain("one")), needed=True)
    domains.domain_for(call("d2", domain("two")), needed=True)

    assert not is_known(domains, "d1")
    assert domains.domain_for(call("d1", domain("one")), needed=True) == domain("one")
    assert is_known(domains, "d1")


def test_an_evicted_domain_is_offered_to_actions_without_use_for_it_too() -> None:
    """An engine that sent its domain once will send it again, so it is worth asking."""
    domains = Domains(1)
    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=False)
    domains.domain_for(call("d1", domain("one")), needed=False)
    domains.domain_for(call("d2", domain("two")), needed=False)

    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=False)


def test_a_domain_sent_again_replaces_the_first() -> None:
    """The engine knows best what belongs to a digest."""
    domains = Domains(2)
    domains.domain_for(call("d1", domain("old")), needed=True)
    domains.domain_for(call("d1", domain("new")), needed=True)

    assert domains.domain_for(call("d1"), needed=True) == domain("new")
    assert len(domains) == 1


@pytest.mark.parametrize("first", [True, False], ids=["the call that brought it", "a later call"])
def test_a_call_cannot_change_anothers_domain(first: bool) -> None:
    """An action may do what it likes with its domain; the next call sees nothing of it."""
    domains = Domains(2)
    mine = domains.domain_for(call("d1", domain("one")), needed=True)
    if not first:
        mine = domains.domain_for(call("d1"), needed=True)

    mine["slots"]["size"]["type"] = "text"
    mine["actions"].clear()
    del mine["assistant"]

    assert domains.domain_for(call("d1"), needed=True) == domain("one")


def test_an_action_without_use_for_the_domain_asks_once() -> None:
    """With selective domains the engine never sends it: the retry runs without, and so does every later call."""
    domains = Domains(2)
    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=False)

    assert domains.domain_for(call("d1"), needed=False) == {}
    assert domains.domain_for(call("d1"), needed=False) == {}


def test_an_action_that_reads_the_domain_asks_again_after_others_gave_up() -> None:
    """That one action does without does not make another one run without."""
    domains = Domains(2)
    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=False)

    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=True)


def test_what_was_asked_for_is_bounded_as_well() -> None:
    """Made-up digests fill no memory: the oldest is forgotten, and asked for once more."""
    domains = Domains(2)
    for digest in ("d1", "d2", "d3"):
        with pytest.raises(MissingDomainError):
            domains.domain_for(call(digest), needed=False)

    with pytest.raises(MissingDomainError):
        domains.domain_for(call("d1"), needed=False)
    assert len(domains) == 0


def test_an_empty_domain_is_a_domain() -> None:
    """An assistant without anything in its domain is not asked for it again and again."""
    domains = Domains(2)
    domains.domain_for(call("d1", {}), needed=True)

    assert domains.domain_for(call("d1"), needed=True) == {}


def test_a_domain_keeps_what_only_python_reads() -> None:
    """NaN, lone surrogates and large numbers come back as they were sent."""
    domains = Domains(2)
    sent = {"big": 2**70, "half": "\ud83d", "fraction": 0.1, "inf": -math.inf, "nan": math.nan, "\ud83d": [None, True]}
    domains.domain_for(call("d1", sent), needed=True)

    found = domains.domain_for(call("d1"), needed=True)

    assert math.isnan(found.pop("nan"))
    del sent["nan"]
    assert found == sent


def deep_domain() -> dict[str, Any]:
    """A domain Python 3.13 reads from JSON, and `marshal` of every version refuses."""
    value: dict[str, Any] = {}
    for _ in range(2500):
        value = {"deeper": value}
    return value


def test_a_domain_nested_beyond_measure_is_refused() -> None:
    """It is the request that is wrong, not the server."""
    domains = Domains(2)

    with pytest.raises(RequestError, match="domain is nested too deeply"):
        domains.domain_for(call("d1", deep_domain()), needed=True)
    assert len(domains) == 0


def test_a_domain_nested_beyond_measure_is_refused_under_the_actions_name() -> None:
    """Every 400 carries `action_name`; a refused domain comes after the action is known."""
    with pytest.raises(RequestError) as refused:
        Domains(2).domain_for(call("d1", deep_domain()), needed=True)

    assert refused.value.action == "action_book"


async def test_a_refused_domain_is_refused_by_the_executor_too() -> None:
    """The error reaches the transport as it is and becomes a 400."""
    registry = Registry()

    async def book(dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[Any]:
        return []

    registry.register_function("action_book", book)
    executor = Executor(registry, limits=Limits(sync_workers=1, max_domains=2))
    try:
        with pytest.raises(RequestError):
            await executor.run(call("d1", deep_domain()))
    finally:
        executor.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


# What Rasa's format fixes has to be of its type: examples are made of words of this program, too.
free_names = st.text().filter(lambda name: name not in {*dict(_DOMAIN_FIELDS), "forms"})


@PROPERTY
@given(st.dictionaries(free_names, json_values, max_size=5))
def test_any_domain_comes_back_as_it_was(sent: dict[str, Any]) -> None:
    """Storing changes no value and no type."""
    domains = Domains(1)
    domains.domain_for(call("d1", sent), needed=True)

    found = domains.domain_for(call("d1"), needed=True)

    assert repr(found) == repr(sent)
    assert found is not sent


@PROPERTY
@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(1, 4))
def test_the_last_used_domains_are_the_known_ones(uses: list[str], limit: int) -> None:
    """However the assistants take turns, the store holds the last ``limit`` of them and no other."""
    domains = Domains(limit)
    for digest in uses:
        domains.domain_for(call(digest, domain(digest)), needed=True)
        assert len(domains) <= limit

    recent = list(dict.fromkeys(reversed(uses)))[:limit]
    assert [d for d in "abcdef" if is_known(domains, d)] == sorted(recent)
    assert all(domains.domain_for(call(d), needed=True) == domain(d) for d in recent)
