"""Packages, projects and requests of any size, for what measures or counts how cost grows."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from benchmarks.payloads import SEED

_WORDS = (  # noqa: SIM905 - readable
    "book cancel move appointment doctor clinic invoice refund parcel delivery account password transfer balance card "
    "limit branch opening address insurance claim policy photo upload contract renewal"
).split()
_VOCABULARY = [*_WORDS, *(first + second for first in _WORDS for second in _WORDS)]
_ACTION = '''

class Action{number}(Action):
    """Does nothing."""

    def name(self):
        """Return its name."""
        return "action_{number}"

    async def run(self, dispatcher, tracker, domain):
        """Do nothing."""
        return []
'''


def write_actions(folder: Path, count: int, each: int = 50) -> None:
    """Write a package of so many actions, ``each`` in a module."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    for first in range(0, count, each):
        texts = [_ACTION.format(number=number) for number in range(first, min(first + each, count))]
        (folder / f"module_{first}.py").write_text("from rasa_sdk import Action\n" + "".join(texts))


def write_bot(folder: Path, flows: int, steps: int, *, with_actions: bool = False) -> Path:
    """Write a project of so many flows with so many steps each: half of them ask for a slot. Returns the folder.

    ``with_actions`` writes a package `actions` as well, and each flow runs one of them.
    """
    chance = random.Random(SEED)  # noqa: S311
    (folder / "data").mkdir(parents=True)
    domain: dict[str, Any] = {"version": "3.1", "slots": {}, "responses": {"utter_done": [{"text": "Done."}]}}
    if with_actions:
        write_actions(folder / "actions", flows)
        domain["actions"] = [f"action_{number}" for number in range(flows)]
    for first in range(0, flows, 50):
        written = {}
        for number in range(first, min(first + 50, flows)):
            words = chance.sample(_VOCABULARY, 5)
            asked = [f"slot_{number}_{step}" for step in range(steps // 2)]
            for slot in asked:
                domain["slots"][slot] = {"type": "text", "mappings": [{"type": "from_llm"}]}
                domain["responses"][f"utter_ask_{slot}"] = [{"text": f"What is {slot}?"}]
            others: list[dict[str, str]] = [{"action": "utter_done"}] * (steps - len(asked))
            if with_actions:
                others[-1] = {"action": f"action_{number}"}
            written[f"flow_{number}"] = {
                "name": f"{words[0]} {words[1]}",
                "description": f"{words[2]} the {words[3]} of a {words[4]}",
                "steps": [*({"collect": slot} for slot in asked), *others],
            }
        _write(folder / "data" / f"flows_{first}.yml", {"flows": written})
    _write(folder / "domain.yml", domain)
    return folder


def call(action: str, *, slots: int = 1, events: int = 1, sender: str = "s", text: str = "hi") -> bytes:
    """Return a request with so many slots and events."""
    event = {"event": "user", "timestamp": 1775001600.5, "text": text, "metadata": {"model_id": "m"}}
    tracker = {
        "sender_id": sender,
        "slots": {f"slot_{number}": "some words" for number in range(slots)},
        "latest_message": {"text": text, "intent": {"name": "inform", "confidence": 1.0}, "entities": []},
        "events": [event] * events,
        "paused": False,
        "active_loop": {},
    }
    whole = {"next_action": action, "sender_id": sender, "tracker": tracker, "domain": {}, "version": "3.21.0"}
    return json.dumps(whole).encode()


def _write(path: Path, content: dict[str, Any]) -> None:
    # JSON is YAML; a list of one line each, so that places differ.
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
