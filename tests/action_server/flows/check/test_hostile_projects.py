"""`check` of projects that would keep it busy for ever: it says what it does not read, and ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from action_server.flows.check.checking import Report, Request, check
from tests.hostile_files import BOMBS, IRREGULAR, count_opened
from tests.projects import project

DOMAIN = """
version: "3.1"
slots:
  size: {type: text, mappings: [{type: from_llm}]}
responses:
  utter_ask_size: [{text: Which size?}]
"""
FLOW = """
flows:
  order_{n}:
    description: Order number {n}.
    steps:
      - collect: size
        next:
          - if: slots.size is null
            then: END
          - else: END
"""


def bot(folder: Path, flows: int = 1) -> Path:
    files = {f"data/flows_{n}.yml": FLOW.replace("{n}", str(n)) for n in range(flows)}
    return project(
        folder,
        {
            "domain/domain.yml": DOMAIN,
            "bot_actions/__init__.py": "",
            "config.yml": "language: en\npipeline: []\n",
            **files,
        },
    )


def check_bot(root: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.chdir(root)
    return check(Request(root, "bot_actions", load=False))


@pytest.mark.parametrize("where", ["domain/more.yml", "data/more.yml"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_of_too_many_values_is_one_finding(
    name: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the place where it was too much; the other files are checked."""
    root = project(bot(tmp_path), {where: BOMBS[name]})

    report = check_bot(root, monkeypatch)

    assert [(finding.rule.id, finding.place.file) for finding in report.findings] == [("unreadable", where)]
    assert list(report.project.flows) == ["order_0"]


@pytest.mark.parametrize("kind", IRREGULAR)
def test_a_file_that_has_no_end_is_one_finding(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the flows, among the actions, and beside the project, where nobody asked for it."""
    root = bot(tmp_path)
    for name in ("data/more.yml", "beside.yml", "bot_actions/more.py"):
        IRREGULAR[kind](root / name)

    report = check_bot(root, monkeypatch)

    assert ("unreadable", "data/more.yml") in [(finding.rule.id, finding.place.file) for finding in report.findings]
    assert {finding.place.file for finding in report.findings} <= {"data/more.yml", "bot_actions/more.py"}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("data/up", "."),
        ("data/same.yml", "data/flows_0.yml"),
        ("data/domain.yml", "domain/domain.yml"),
        ("loop.yml", "loop.yml"),
    ],
)
def test_links_are_no_second_files(link: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link back up made each slot and each flow stand there twice."""
    root = bot(tmp_path)
    (root / link).symlink_to(root / target)

    assert list(check_bot(root, monkeypatch).findings) == []


@pytest.mark.parametrize("link", ["data/itself.yml", "domain/itself.yml"])
def test_a_link_that_leads_to_itself_is_one_finding(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own way to follow links raises for it."""
    root = bot(tmp_path)
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(root / link)

    report = check_bot(root, monkeypatch)

    assert [(finding.rule.id, finding.place.file) for finding in report.findings] == [("unreadable", link)]


@pytest.mark.parametrize("flows", [2, 16])
def test_each_file_is_read_once(flows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and whoever asks for it: the model, the rules, the comments that silence."""
    root = bot(tmp_path, flows)

    with count_opened() as opened:
        check_bot(root, monkeypatch)

    own = {name: times for name, times in opened.items() if name.startswith(str(root)) and name.endswith(".yml")}
    assert own == {str(path): 1 for path in root.rglob("*.yml")}


def test_the_engine_s_patterns_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a file as any other."""
    root = bot(tmp_path)

    with count_opened() as opened:
        check_bot(root, monkeypatch)

    assert [times for name, times in opened.items() if name.endswith("/patterns.yml")] == [1]


def count_calls(root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many functions a check calls, those in C as well."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        check_bot(root, monkeypatch)
    finally:
        sys.setprofile(None)
    return calls


def test_a_check_costs_no_more_than_what_there_is_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times as many flows, in files of their own that link to each other, are eight times as many calls."""
    small, large = (linked_bot(tmp_path / str(flows), flows) for flows in (20, 160))
    # What is built once for a process: grammars, templates.
    count_calls(small, monkeypatch)
    few, many = count_calls(small, monkeypatch), count_calls(large, monkeypatch)

    assert many < 8 * few * 1.1


def linked_bot(root: Path, flows: int) -> Path:
    for n in range(flows):
        steps = "      - {link: order_" + str((n + 1) % flows) + "}\n"
        project(root, {f"data/flows_{n}.yml": FLOW.replace("{n}", str(n)) + steps})
    return project(
        root, {"domain/domain.yml": DOMAIN, "bot_actions/__init__.py": "", "config.yml": "language: en\npipeline: []\n"}
    )
