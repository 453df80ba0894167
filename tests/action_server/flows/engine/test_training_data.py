"""What `rasa train` refuses of training data: examples, stories, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.engine.projects import CONFIG, flow, refusals
from tests.action_server.flows.engine.rows import RUN, Row, each

_HI = "[{intent: hi}, {action: utter_hi}]"
_ASK = "[{intent: hi}, {action: utter_ask_word}]"
# Data, in one line; whether the readers of an engine take it.
READ_DATA = [
    Row("examples", "nlu: [{intent: hi, examples: '- a'}]", True, RUN),
    Row("no examples", "nlu: [{intent: hi}]", True, RUN),
    Row("examples without a dash", "nlu: [{intent: hi, examples: a}]", True, RUN),
    Row("metadata of an intent", "nlu: [{intent: hi, metadata: {a: 1}, examples: '- a'}]", True, RUN),
    Row("examples with metadata of their own", "nlu: [{intent: hi, examples: [{text: a, metadata: b}]}]", True, RUN),
    Row("an unknown key", "nlu: [{intnt: hi, examples: '- a'}]", False, RUN),
    Row("one more key", "nlu: [{intent: hi, examples: '- a', colour: red}]", False, RUN),
    Row("two kinds in one", "nlu: [{intent: hi, synonym: a, examples: '- a'}]", False, RUN),
    Row("examples as a list", "nlu: [{intent: hi, examples: [a, b]}]", False, RUN),
    Row("examples with another key", "nlu: [{intent: hi, examples: [{words: a}]}]", False, RUN),
    Row("a lookup as a list", "nlu: [{lookup: city, examples: [a, b]}]", False, RUN),
    Row("an intent that is a number", "nlu: [{intent: 5, examples: '- a'}]", False, RUN),
    Row("no list", "nlu: {intent: hi, examples: '- a'}", False, RUN),
    Row("an entity", """nlu: [{intent: hi, examples: '- [a]{"entity": "b"}'}]""", True, RUN),
    Row("an entity that is no JSON", """nlu: [{intent: hi, examples: '- [a]{"entity": }'}]""", False, RUN),
    Row("a story", f"stories: [{{story: a, steps: {_HI}}}]", True, RUN),
    Row("a story without steps", "stories: [{story: a}]", True, RUN),
    Row("a story with another key", f"stories: [{{stry: a, steps: {_HI}}}]", False, RUN),
    Row("stories that are no list", f"stories: {{story: a, steps: {_HI}}}", False, RUN),
    Row("a step with another key", "stories: [{story: a, steps: [{intent: hi}, {acton: utter_hi}]}]", False, RUN),
    Row("two steps in one", "stories: [{story: a, steps: [{intent: hi, action: utter_hi}]}]", False, RUN),
    Row("a step that is a word", "stories: [{story: a, steps: [intent, {action: utter_hi}]}]", False, RUN),
    Row("a form that ends", "stories: [{story: a, steps: [{active_loop: null}, {action: utter_hi}]}]", True, RUN),
    Row("slots as a mapping", "stories: [{story: a, steps: [{slot_was_set: {word: b}}]}]", False, RUN),
    Row("slots as a list", "stories: [{story: a, steps: [{slot_was_set: [{word: b}]}]}]", True, RUN),
    Row("an `or` of intents", "stories: [{story: a, steps: [{or: [{intent: hi}, {intent: ho}]}]}]", True, RUN),
    Row("an `or` of actions", "stories: [{story: a, steps: [{or: [{action: utter_hi}]}]}]", False, RUN),
    Row("an intent of a step that is a number", "stories: [{story: a, steps: [{intent: 5}]}]", False, RUN),
    Row("a rule with words of the bot", "rules: [{rule: a, steps: [{intent: hi}, {bot: Hello}]}]", False, RUN),
    Row("a rule with a checkpoint", "rules: [{rule: a, steps: [{checkpoint: a}, {action: utter_hi}]}]", False, RUN),
    Row("a rule that does not wait", f"rules: [{{rule: a, wait_for_user_input: false, steps: {_HI}}}]", True, RUN),
    Row("a rule that waits for `no`", f"rules: [{{rule: a, wait_for_user_input: no, steps: {_HI}}}]", False, RUN),
    Row("a condition that is an action", f"rules: [{{rule: a, condition: [{{action: a}}], steps: {_HI}}}]", False, RUN),
]
_WITH_SLOT = f"{{rule: b, condition: [{{slot_was_set: [{{word: a}}]}}], steps: {_ASK}}}"
_SEVERAL = (
    "{rule: a, steps: [{intent: hi}, {action: utter_hi}, {or: [{intent: hi}, {intent: ho}]}, {action: utter_hi}]}"
)
# Rules, and the settings of their policy; whether it takes them.
RULES = [
    Row("two rules", (f"{{rule: a, steps: {_HI}}}, {_WITH_SLOT}", ""), True),
    Row("two that contradict each other", (f"{{rule: a, steps: {_HI}}}, {{rule: b, steps: {_ASK}}}", ""), False),
    Row("two that say the same", (f"{{rule: a, steps: {_HI}}}, {{rule: b, steps: {_HI}}}", ""), True),
    Row(
        "two that may contradict each other",
        (f"{{rule: a, steps: {_HI}}}, {{rule: b, steps: {_ASK}}}", ", check_for_contradictions: false"),
        True,
    ),
    Row(
        "two that begin with an action",
        ("{rule: a, steps: [{action: utter_hi}]}, {rule: b, steps: [{action: utter_ask_word}]}", ""),
        True,
    ),
    Row("one with two messages", (_SEVERAL, ""), False),
    Row("one that may have two", (_SEVERAL, ", restrict_rules: false"), True),
]


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(READ_DATA)
def test_data_is_refused_where_the_readers_refuse_it(row: Row, tmp_path: Path) -> None:
    """Each entry has the keys of one kind."""
    files = {"data/more.yml": row.given}

    assert (refusals(tmp_path, [flow("{collect: kind}")], "intents: [hi, ho]", extra=files) == []) is row.engine


@each(RULES)
def test_rules_are_refused_where_their_policy_refuses_them(row: Row, tmp_path: Path) -> None:
    """It looks for one message in each, and for contradictions."""
    rules, settings = row.given
    files = {"data/more.yml": f"rules: [{rules}]", "config.yml": CONFIG.replace("RulePolicy", f"RulePolicy{settings}")}

    assert (refusals(tmp_path, [flow("{collect: kind}")], "intents: [hi, ho]", extra=files) == []) is row.engine
