"""Responses are read with all that a variation may have."""

from __future__ import annotations

from tests.action_server.flows.bots import read


def test_everything_of_a_response() -> None:
    (rich,) = read("shop").domain.responses["utter_rich"].variations
    first, _ = read("shop").domain.responses["utter_old"].variations

    assert rich.image == "https://example.org/{kind}.png"
    assert rich.quick_replies == ({"title": "Later", "payload": "later"},)
    assert rich.elements == ({"title": "{kind}"},)
    assert rich.custom == {"kind": "{kind}", "nested": ["{colour}", 1]}
    assert (rich.metadata, rich.extra) == ({"tone": "kind"}, {"sound": "ding"})
    assert [(c.name, c.value) for c in first.constraints or ()] == [("vip", True), ("loyal", True)]
