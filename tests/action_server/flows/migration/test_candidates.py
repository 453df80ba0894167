"""What to migrate first, by how much it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.action_server.flows.migration.sample_project import LOOP, TURN, plan_for


def test_candidates_come_by_stories_and_rules_then_examples(tmp_path: Path) -> None:
    """A form counts where it starts and where it ends, what follows an intent counts as the intent's."""
    found = plan_for(tmp_path)

    assert [(c.name, c.form, c.rules, c.stories, c.examples, c.seen) for c in found.candidates] == [
        ("order_form", "order_form", 3, 0, 2, None),
        ("hello", "", 1, 1, 1, None),
        ("address_form", "address_form", 1, 0, 0, None),
        ("cancel", "", 0, 1, 0, None),
    ]
    assert list(found.candidates[0].intents) == ["order"]
    assert list(found.candidates[1].intents) == ["hello", "thanks"]


DUMPS: dict[str, str] = {
    "a tracker per line": "\n".join(
        json.dumps({"sender_id": sender, "events": [TURN, {"event": "action", "name": "action_listen"}, TURN, LOOP]})
        for sender in ("a", "b")
    ),
    "an event per line": "\n".join(
        json.dumps({**event, "sender_id": sender}) for sender in ("a", "b") for event in (TURN, LOOP, TURN)
    ),
    "one list of trackers": json.dumps([{"sender_id": sender, "events": [TURN, TURN, LOOP]} for sender in ("a", "b")]),
}


@pytest.mark.parametrize("text", DUMPS.values(), ids=list(DUMPS))
def test_real_conversations_count_more_than_stories(tmp_path: Path, text: str) -> None:
    """What users did comes first; lines that are no JSON are counted, and no word of a user is kept."""
    (tmp_path / "dump.jsonl").write_text(text, encoding="utf-8")
    found = plan_for(tmp_path, conversations=tmp_path / "dump.jsonl")

    assert [(c.name, c.seen) for c in found.candidates] == [
        ("cancel", 4),
        ("address_form", 2),
        ("order_form", 0),
        ("hello", 0),
    ]
    assert found.traffic is not None
    assert found.traffic.conversations == 2
    assert "secret words" not in found.as_text() + json.dumps(found.as_json())
