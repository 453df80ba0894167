"""The clinic's end-to-end cases play against the real actions, and the README shows a real conversation."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from action_server.cli import chat, flows_graph, flows_test
from tests.assistant import picture
from tests.assistant.reading import CALM, ROOT

SAID = ROOT / "tests" / "assistant" / "readme_conversation.txt"
COMMAND = "$ action-server chat --fresh"
# What is another one each time: the reference is drawn by chance, and the days depend on today.
_CHANGING = (
    (re.compile(r"APT-[A-Z0-9]{6}"), "REFERENCE"),
    (re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{1,2} \w+ \d{4}"), "DAY"),
    (re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{1,2} \w+"), "DAY"),
    (re.compile(r"\b\d\d:\d\d\b"), "TIME"),
)


def masked(text: str) -> str:
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


def run(module: ModuleType, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    module.add_flags(parser)
    args = parser.parse_args([*flags, "--project", str(CALM)])
    code: int = module.run(args, {})
    return code


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def transcript(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, said: Path) -> str:
    with said.open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert run(chat, "--fresh") == 0
    return capsys.readouterr().out


def test_every_case_passes_and_together_they_come_to_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Offline, on any day of the year, each with an empty appointment book."""
    code = run(flows_test, "--coverage-min", "100")

    assert code == 0, capsys.readouterr().out


def test_a_drawing_shows_the_way_that_a_test_took(capsys: pytest.CaptureFixture[str]) -> None:
    """And not the others between the same steps, though their ends were executed."""
    cases = str(CALM / "tests" / "e2e_test_cases.yml")

    assert run(flows_graph, "book_appointment", "--executed", cases, "-k", "urgent patient") == 0

    drawn = capsys.readouterr().out
    taken = re.findall(r"==>(?:\|\"(.*)\"\|)?", drawn)
    assert taken == ["", "slots.appointment_type == 'urgent'", "", "slots.booking_status == 'booked'"]


def test_the_conversation_of_the_readme_books_urgently_and_in_general(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is worth showing: a date is refused on the way, and both end with a reference."""
    said = masked(transcript(capsys, monkeypatch, SAID))

    assert "Your urgent appointment has been booked for DAY at TIME. Reference: REFERENCE" in said
    assert "The clinic has no appointments of that type at that time." in said
    assert "Your general appointment has been booked for DAY at 10:00".replace("10:00", "TIME") in said


def test_the_readme_shows_what_the_chat_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line, but for days, times and references. It is printed by
    `action-server chat --fresh < tests/assistant/readme_conversation.txt`.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^```console\n{re.escape(COMMAND)}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)

    assert found, f"README.md has no block that begins with {COMMAND}"
    assert picture.PICTURE.read_text(encoding="utf-8") == picture.draw(picture.conversation())
    assert masked(found[1]) == masked(transcript(capsys, monkeypatch, SAID))
