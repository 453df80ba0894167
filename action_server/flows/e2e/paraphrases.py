"""Other words for what tests say: each is one more run, in which only that message differs.

The file, as `flows test --paraphrases` takes it::

    paraphrases:
      "I am thirsty": ["something to drink, please", "could I get a drink?"]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from action_server.errors import SettingsError
from action_server.flows.e2e.cases import Case
from action_server.yaml_file import read_yaml

_FLAG = "--paraphrases"


def read_paraphrases(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the other wordings of each message.

    Raises:
        SettingsError: the file cannot be read, or is not of that form; says where.
    """
    content = read_yaml(path, _FLAG)
    found = content.get("paraphrases") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(found, dict) or not found:
        raise SettingsError(_FLAG, f"{path} must hold `paraphrases:`, a mapping of messages to lists of other wordings")
    for message, others in found.items():
        if not isinstance(others, list) or not others or not all(isinstance(o, str) and o.strip() for o in others):
            raise SettingsError(_FLAG, f"{path}: paraphrases[{message!r}] must be a list of texts")
    return {str(message): tuple(dict.fromkeys(others)) for message, others in found.items()}


def unsaid(cases: Sequence[Case], paraphrases: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the messages that no test says, which are mistyped or left over."""
    said = {step.message for case in cases for step in case.steps}
    return [message for message in paraphrases if message not in said]


def with_paraphrases(cases: Sequence[Case], paraphrases: Mapping[str, Sequence[str]]) -> Iterator[Case]:
    """Yield each test, followed by itself with one of its messages in other words."""
    for case in cases:
        yield case
        for number, step in enumerate(case.steps):
            for other in paraphrases.get(step.message, ()):
                reworded = replace(step, message=other, original=step.message)
                yield replace(case, steps=(*case.steps[:number], reworded, *case.steps[number + 1 :]))
