"""Every verb about a project takes the same folder for it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from action_server.cli import command_line
from tests.projects import project

CASES = """
test_cases:
  - test_case: hello
    steps:
      - user: say hello
      - utter: utter_hello
"""
VERBS = [["chat"], ["flows", "test"], ["flows", "graph"], ["check", "--no-import"]]


def bot(name: str, below: str = "") -> dict[str, str]:
    """A project whose answers, flow and findings have its name in them."""
    flows = f"flows:\n  {name}:\n    name: say hello\n    description: Say hello.\n    steps:\n"
    return {
        f"{below}domain.yml": f'version: "3.1"\nresponses:\n  utter_hello: [{{text: Hello from {name}}}]\n',
        f"{below}data/flows.yml": f"{flows}      - action: utter_hello\n      - link: lost_{name}\n",
        f"{below}tests/cases.yml": CASES,
    }


PROJECTS = {
    "here, and an empty folder assistant": ({**bot("here"), "assistant/.keep": ""}, "here"),
    "in assistant": ({**bot("below", "assistant/"), "README.md": ""}, "below"),
    "in both": ({**bot("here"), **bot("below", "assistant/")}, "here"),
}


@pytest.fixture
def say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a verb in the folder; `chat` gets a message."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(verb: list[str], *flags: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO("say hello\n"))
        return command_line.main([*verb, *flags])

    return run


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(verb))
@pytest.mark.parametrize(("files", "name"), PROJECTS.values(), ids=list(PROJECTS))
def test_each_verb_finds_the_same_project(
    folder: Path,
    say: Callable[..., int],
    verb: list[str],
    files: dict[str, str],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The working directory if it holds one, otherwise assistant/."""
    project(folder, {**files, "actions/__init__.py": ""})

    code = say(verb, *(["--explain"] if verb == ["chat"] else ["--json"] if verb == ["flows", "test"] else []))

    said = capsys.readouterr()
    other = {"here": "below", "below": "here"}[name]
    assert code != 2, said.err
    assert name in said.out
    assert f"lost_{other}" not in said.out
    assert f"from {other}" not in said.out


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(verb))
def test_each_verb_says_where_it_looked_in_vain(
    folder: Path, say: Callable[..., int], verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, with the flag that names a folder; exit code 2."""
    project(folder, {"actions/__init__.py": "", "assistant/.keep": ""})

    assert say(verb) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: --project: there is no Rasa project: neither {folder} nor assistant/ in it has")
    assert said.err.endswith("name the project's folder with --project DIR\n")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(verb))
def test_each_verb_says_the_rule(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """In its help, in the same words."""
    with pytest.raises(SystemExit):
        command_line.main([*verb, "--help"])

    words = " ".join(capsys.readouterr().out.split())
    assert "the working directory if it has a domain or flows, otherwise assistant/ if that has" in words
