"""A domain that is no domain inside: 400 that names the place when the action reads it, on every way in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from action_server.errors import MissingDomainError, RequestError
from action_server.protocol.calls import Call, decode_call
from action_server.protocol.domains import Domains
from action_server.protocol.lazy import read_call

# What stands in the domain, and what is said of it.
MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"slots": ["city"]}, "domain.slots must be an object, not a list"),
    ({"slots": {"city": "text"}}, "domain.slots.city must be an object, not a string"),
    ({"responses": [{"text": "Hello"}]}, "domain.responses must be an object, not a list"),
    ({"responses": {"utter_greet": "Hello"}}, "domain.responses.utter_greet must be a list, not a string"),
    ({"responses": {"utter_greet": ["Hello"]}}, "domain.responses.utter_greet[0] must be an object, not a string"),
    ({"forms": "a_form"}, "domain.forms must be an object, not a string"),
    ({"forms": {"a_form": ["city"]}}, "domain.forms.a_form must be an object, not a list"),
    ({"intents": {"greet": {}}}, "domain.intents must be a list, not an object"),
    ({"entities": "city"}, "domain.entities must be a list, not a string"),
    ({"actions": 7}, "domain.actions must be a list, not a number"),
    ({"session_config": []}, "domain.session_config must be an object, not a list"),
]
# Whatever engines of some age send.
SOUND: list[dict[str, Any]] = [
    {"slots": None, "responses": None, "forms": None, "intents": None},
    {"forms": ["a_form"], "intents": ["greet", {"bye": {"use_entities": []}}], "actions": ["a", {"b": {}}]},
    {"slots": {"city": {"type": "text"}}, "forms": {"a_form": None}, "responses": {"utter_greet": [{"text": "Hello"}]}},
    {"templates": "of Rasa 1", "config": 7},
]


def calls_with(domain: dict[str, Any], **fields: object) -> list[Call]:
    """Return the call as each way in reads it: at once, and when something is read."""
    body = json.dumps({"next_action": "action_x", "sender_id": "c", "tracker": {}, "domain": domain, **fields}).encode()
    return [read(body) for read in (decode_call, read_call)]


@pytest.mark.parametrize(("domain", "said"), MALFORMED, ids=[said for _, said in MALFORMED])
@pytest.mark.parametrize("digest", [None, "d1"])
def test_a_malformed_domain_is_refused_when_the_action_reads_it(
    domain: dict[str, Any], said: str, digest: str | None
) -> None:
    """With a digest and without one; the message names the place, and the error the action."""
    for call in calls_with(domain, domain_digest=digest):
        with pytest.raises(RequestError, match="domain") as raised:
            Domains(16).domain_for(call, needed=True)
        assert str(raised.value) == said
        assert raised.value.action == "action_x"


@pytest.mark.parametrize("domain", [domain for domain, _ in MALFORMED], ids=[said for _, said in MALFORMED])
def test_nothing_is_said_of_a_malformed_domain_that_no_action_reads(domain: dict[str, Any]) -> None:
    """And it is not kept: an action that reads it asks for it, and is told then."""
    for call in calls_with(domain, domain_digest="d1"):
        domains = Domains(16)
        assert domains.domain_for(call, needed=False) == {}
        with pytest.raises(MissingDomainError):
            domains.domain_for(Call("action_x", "c", {}, domain_digest="d1"), needed=True)


@pytest.mark.parametrize("domain", SOUND, ids=["nulls", "old forms", "usual", "other keys"])
def test_what_engines_send_is_taken(domain: dict[str, Any]) -> None:
    """Nulls, shorter forms and keys that nobody knows."""
    for call in calls_with(domain, domain_digest="d1"):
        assert Domains(16).domain_for(call, needed=True) == domain
