"""Rasa's end-to-end format: what its steps and assertions claim, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from action_server.errors import SettingsError
from tests.action_server.flows.cafe import Cafe, open_cafe


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


def outcome(cafe: Cafe, steps: str, more: str = "") -> int:
    """Run one test; 0 if it passed."""
    text = f"{more}\ntest_cases:\n  - test_case: the case\n    steps:\n{indent(steps.strip(), ' ' * 6)}\n"
    (cafe.folder / "tests" / "cases.yml").write_text(text)
    return cafe.test()


STEPS_THAT_HOLD = [
    "bot: What would you like?",
    "utter: utter_ask_drink",
    "slot_was_set: [{drink: tea}]",
    "slot_was_set: [drink]",
    "slot_was_set: [drink, {served: true}, {served: 1}]",
    "slot_was_set: [{drink: tea}, {served: true}]",
    "slot_was_not_set: [guest]",
    "slot_was_not_set: [{drink: coffee}, guest]",
    "bot: tea number 1 for you",
    "utter: utter_enjoy",
]
STEPS_THAT_DO_NOT = [
    "bot: What would you like",
    "utter: utter_thanks",
    "slot_was_set: [guest]",
    "slot_was_set: [{drink: coffee}]",
    "slot_was_set: [{served: 'true'}]",
    "slot_was_not_set: [drink]",
    "slot_was_not_set: [{drink: tea}]",
]


@pytest.mark.parametrize("step", STEPS_THAT_HOLD)
def test_a_step_that_holds(cafe: Cafe, step: str) -> None:
    """In any order within the turn; the question's are those of the first message."""
    before, after = (step, "utter: utter_enjoy") if "ask" in step or "What" in step else ("", step)
    steps = [s for s in ("user: order a drink", before, "user: tea", after) if s]

    assert outcome(cafe, "\n".join(f"- {s}" for s in steps)) == 0


@pytest.mark.parametrize("step", STEPS_THAT_DO_NOT)
def test_a_step_that_does_not_hold(cafe: Cafe, step: str) -> None:
    """The test fails."""
    assert outcome(cafe, f"- user: order a drink\n- user: tea\n- {step}") == 1


WRONG = [
    ("- user: hi\n- utterr: x", "tests/cases.yml:6:9: there is no step 'utterr'"),
    ("- user: hi\n  asertions: []", "the step has no key 'asertions'; did you mean 'assertions'?"),
    ("- user: hi\n  metadata: nobody", "there is no metadata 'nobody'"),
    ("- slot_was_set: [[1]]", "has to name a slot, or a slot with its value"),
    ("- hi", "a step has to be `user:`, `bot:`, `utter:` or one for slots"),
]


@pytest.mark.parametrize(("steps", "problem"), WRONG)
def test_what_cannot_be_read_says_where(
    cafe: Cafe, steps: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With file and line, before any test runs."""
    with pytest.raises(SettingsError, match="cannot be read"):
        outcome(cafe, steps)

    assert problem in capsys.readouterr().err


FILES = [
    ("stub_custom_actions: []", "`stub_custom_actions` has to be a mapping"),
    ("stub_custom_actions: {a: {event: []}}", "the stub 'a' has no key 'event'; did you mean 'events'?"),
    ("stub_custom_actions: {a: {events: [{name: x}]}}", "does not say which: `event: slot`"),
    ("stub_custom_actions: {a: {responses: [x]}}", "'responses' of the stub 'a' has to list mappings"),
    ("fixtures: [x]", "a fixture has to be written `name:` with its values below"),
    ("fixtures: [{x: 1}]", "the fixture 'x' has to list `- slot: value`"),
    ("metadata: [{x: [1]}]", "the metadata 'x' has to be a mapping, not a list"),
]


@pytest.mark.parametrize(("top", "problem"), FILES)
def test_what_stands_around_the_cases_is_read_as_strictly(
    cafe: Cafe, top: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fixtures, metadata and stubs."""
    with pytest.raises(SettingsError, match="cannot be read"):
        outcome(cafe, "- user: order a drink", top)

    assert problem in capsys.readouterr().err


def test_cases_are_told_apart_by_their_names(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """One without steps and one without a name are reported at once; of two of one name, one is played."""
    cafe.write(
        "tests/cases.yml",
        """
        test_cases:
          - test_case: one
            steps: [{user: hi}]
          - test_case: one
            steps: []
          - steps: [{user: hi}]
        """,
    )

    with pytest.raises(SettingsError):
        cafe.test()

    said = capsys.readouterr().err
    assert "the test case 'one' has no steps" in said
    assert "a test case has to have a name" in said

    cafe.write("tests/cases.yml", "test_cases:\n" + "  - {test_case: one, steps: [{user: hi}]}\n" * 2)
    assert cafe.test() == 1
    assert "a test of this name also stands at tests/cases.yml:2" in " ".join(capsys.readouterr().out.split())


def test_steps_beside_assertions_are_warned_of(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """As the format has it they say nothing; who wrote them should know."""
    steps = "- user: order a drink\n  assertions:\n    - flow_started: order_drink\n- utter: utter_nothing"

    assert outcome(cafe, steps) == 0
    assert "warning: tests/cases.yml:8:9" in (said := capsys.readouterr().err)
    assert "is not looked at, as the test case has assertions: write 'utter' as one" in said
