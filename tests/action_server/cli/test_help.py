"""`action-server help`: the pages are there wherever the package is, and messages point to those that exist."""

from __future__ import annotations

import json
import re

import pytest

from action_server.cli import main
from action_server.cli.help import pages
from tests.processes import ROOT

# Backquoted in texts, bare in fields of log lines.
_POINTS_TO = re.compile(r"action-server help ([a-z-]+)")


def test_without_a_topic_all_pages_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each file below docs/ with its title; the names are clear without the folder."""
    assert main(["help", "--json"]) == 0

    files = list((ROOT / "docs").rglob("*.md"))
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == len(files)
    assert listed["authenticate"] == "Let only your assistant call"


@pytest.mark.parametrize("topic", ["authenticate", "howto/authenticate.md", "docs/howto/authenticate.md"])
def test_a_page_is_printed_as_it_is_written(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Through a pipe; its path is a name, too."""
    assert main(["help", topic]) == 0

    assert capsys.readouterr().out == (ROOT / "docs/howto/authenticate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "topic", [["list"], ["flows"], ["flows", "test"], ["jobs", "retry"], ["idempotency", "free"]], ids=" ".join
)
def test_a_verb_prints_its_flags(topic: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As git and others have it; also one of two words."""
    with pytest.raises(SystemExit) as ended:
        main(["help", *topic])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: action-server {' '.join(topic)} ")


def test_an_unknown_topic_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """Pages and verbs."""
    assert main(["help", "autenticate"]) == 2
    assert main(["help", "zzz"]) == 2

    assert capsys.readouterr().err == (
        "error: help: there is no page 'autenticate'; did you mean 'authenticate'?\n"
        "error: help: there is no page 'zzz'; `action-server help` lists those there are\n"
    )


def test_messages_point_to_pages_that_exist() -> None:
    """A wheel brings no `docs/` beside it."""
    known = pages()
    for file in (ROOT / "action_server").rglob("*.py"):
        texts = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
        for named in _POINTS_TO.findall("\n".join(texts)):
            assert named in known, f"{file}: action-server help {named}"
        for line in (one for one in texts if '"""' not in one):
            assert not re.search(r'"[^"]*\b(docs|howto|reference)/[\w/-]+\.md', line), f"{file}: {line.strip()}"
