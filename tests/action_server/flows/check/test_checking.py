"""The check as a whole: what it is given, projects that agree, and input that nobody had in mind."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action_server.errors import SettingsError
from action_server.flows.check.checking import Request, check, check_text
from action_server.project.python.reader import read_package
from tests.action_server.flows.check.sample_projects import (
    CALM,
    CLASSIC,
    CODE,
    DOMAIN,
    FLOWS,
    check_files,
    edit,
    lines_of,
    write_files,
)

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("files", [CALM, CLASSIC], ids=["calm", "classic"])
def test_nothing_is_found_in_a_project_that_agrees(tmp_path: Path, files: Mapping[str, str]) -> None:
    """The projects that the faults are planted into are clean, and were read to the end."""
    report = check_files(tmp_path, files)

    assert lines_of(report) == []
    assert len(report.code.registered) == len(report.project.domain.actions)


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    """One in the code, one in the domain and two in the flows, by file and line; each rule's own are in its file."""
    files = edit(CALM, CODE, 'get_slot("kind")', 'get_slot("kid")')
    files = edit(files, DOMAIN, "/SetSlots(kind=big)", "/SetSlots(knd=big)")
    files = edit(files, FLOWS, "link: other", "link: otter")
    files = edit(files, FLOWS, "slots.kind == 'small'", "slots.kind == 'tiny'")

    assert lines_of(check_files(tmp_path, files)) == [
        "unknown-slot ACTS/send.py:10",
        "impossible-value data/flows.yml:9",
        "unknown-flow data/flows.yml:22",
        "unknown-slot domain.yml:17",
    ]


@pytest.mark.parametrize("project", ["assistant", "assistant/classic"])
def test_nothing_is_found_in_the_clinic(monkeypatch: pytest.MonkeyPatch, project: str) -> None:
    """Neither the CALM assistant nor its classic twin, which share their actions."""
    monkeypatch.chdir(ROOT)
    report = check(Request(Path(project), "actions"))

    assert [f"{f.place.exact} {f.rule.id} {f.message}" for f in report.findings] == []
    assert report.code.knows_all_names
    assert len(report.code.registered) >= 5


@pytest.mark.parametrize("name", ["plain", "seed", "repair"])
def test_nothing_is_found_in_projects_that_others_play(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Projects made for the player hold shapes nobody had in mind here; their actions are elsewhere."""
    monkeypatch.chdir(Path(__file__).parents[1] / "projects" / name)
    report = check(Request(Path("."), "there_are_none"))

    assert [f for f in report.findings if f.rule.id != "actions-not-found"] == []


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Request(Path("nowhere")), "--project"),
        (Request(Path("."), domain=Path("nowhere.yml")), "--domain"),
        (Request(Path("."), data=Path("nowhere")), "--data"),
    ],
    ids=["project", "domain", "data"],
)
def test_a_path_that_is_not_there_is_wrong_usage(request_: Request, problem: str) -> None:
    """It is no finding: nothing was checked."""
    with pytest.raises(SettingsError, match=problem):
        check(request_)


def test_a_process_that_must_not_import_the_actions_checks_their_text(tmp_path: Path) -> None:
    """What importing them would do does not happen; a folder without a project has no findings."""
    assert check_text(tmp_path, "acts") == []

    faulty = edit(CALM, FLOWS, "slots.kind == 'small'", "slots.kind == 'tiny'")
    with write_files(tmp_path, edit(faulty, CODE, "", "\n\nraise RuntimeError('imported')\n")) as package:
        findings = check_text(Path("."), package)

    assert {f.rule.id for f in findings} == {"impossible-value"}


def mangle(text: str, chance: random.Random) -> str:
    """Do to a text what editors, merges and tired people do."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        kind = chance.randrange(6)
        if kind == 0:
            lines[at] = "  " + lines[at]
        elif kind == 1:
            lines[at] = lines[at].replace(":", "", 1)
        elif kind == 2:
            lines.insert(at, chance.choice(lines))
        elif kind == 3:
            lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
        elif kind == 4:
            lines[at] += chance.choice(
                [" [", " {", " null", " 7", " '", " &a", " *a", " !!set {a}", "\t", " # x", "(:"]
            )
        else:
            lines[at] = chance.choice(["- 1", "a: [1, {b: 2}]", "null", "? [x]", "'", "slots: 3", "flows: []", "x"])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(60))
def test_no_mangled_project_stops_the_check(tmp_path: Path, seed: int) -> None:
    """Whatever is wrong with a file, each finding has a file, a sentence and a fix."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    files = dict(CALM if seed % 2 else CLASSIC)
    for name in chance.sample(sorted(name for name in files if files[name]), 2):
        files[name] = mangle(files[name], chance)
    with write_files(tmp_path, files) as package:
        report = check(Request(Path("."), package, load=False))

    assert all(f.place.file and f.message and f.fix for f in report.findings)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_stop_the_reader_of_python(tmp_path: Path, content: bytes) -> None:
    """A file is read, or said not to be readable."""
    (tmp_path / "one.py").write_bytes(content)
    facts = read_package(tmp_path / "one.py", "one")

    assert len(facts.modules) + len(facts.unread) == 1
