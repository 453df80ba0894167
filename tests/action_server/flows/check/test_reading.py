"""A project that cannot be read to its end is checked as far as it can be, and no input stops the check."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action_server.errors import SettingsError
from action_server.flows.check.checking import Request, check, check_text
from action_server.project.python_reader import read_package
from tests.action_server.flows.check.checked import CALM, CLASSIC, changed, checked, told, written

DOMAIN, FLOWS, CODE = "domain.yml", "data/flows.yml", "ACTS/send.py"


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_that_is_no_yaml_is_said_and_the_rest_is_checked(tmp_path: Path) -> None:
    """Faults of other files are found; what the broken one may hold is not called missing."""
    files = changed(CALM, FLOWS, "slots.kind == 'small'", "slots.kind === 'small'")
    files = changed(files, FLOWS, "action: utter_done", "action: utter_in_the_broken_file")
    files["data/more.yml"] = "flows:\n  broken: [\n"

    assert told(checked(tmp_path, files)) == ["condition-syntax data/flows.yml:9", "unreadable data/more.yml:3"]


def test_a_broken_part_of_the_domain_leaves_the_flows_checked(tmp_path: Path) -> None:
    """Slots may stand in the part that cannot be read; links cannot."""
    files = {"domain/one.yml": CALM[DOMAIN], "domain/two.yml": "slots:\n\t- x\n", **CALM}
    del files[DOMAIN]
    files = changed(files, FLOWS, "collect: kind", "collect: in_the_broken_part")
    files = changed(files, FLOWS, "link: other", "link: otter")

    assert told(checked(tmp_path, files)) == ["unknown-flow data/flows.yml:22", "unreadable domain/two.yml:2"]


def test_a_missing_domain_is_one_finding(tmp_path: Path) -> None:
    """It does not make every slot of the flows unknown."""
    files = {name: text for name, text in CALM.items() if name != DOMAIN}

    assert told(checked(tmp_path, files)) == ["unreadable .:0"]


def test_an_unknown_kind_of_step_is_said_with_its_place(tmp_path: Path) -> None:
    """And the flow's other steps are still checked."""
    files = changed(CALM, FLOWS, "      - link: other\n", "      - teleport: other\n      - collect: nobody\n")

    assert told(checked(tmp_path, files)) == ["unreadable data/flows.yml:22", "unknown-slot data/flows.yml:23"]


def test_a_key_that_engines_pass_over_is_a_warning(tmp_path: Path) -> None:
    """A misspelled section of the domain is no error for an engine, and has no effect."""
    report = checked(tmp_path, changed(CALM, DOMAIN, "slots:\n", "respones: {}\nslots:\n"))

    assert [(f.rule, f.line, f.severity) for f in report.findings] == [("readable-with-care", 2, "warning")]


def test_code_that_does_not_import_is_still_read(tmp_path: Path) -> None:
    """What the text alone tells is found beside the failure."""
    files = changed(CALM, CODE, 'get_slot("kind")', 'get_slot("kid")')
    files = changed(
        files, CODE, "from rasa_sdk import Action\n", "import no_such_module\nfrom rasa_sdk import Action\n"
    )
    files = changed(files, FLOWS, "action: action_send", "action: action_sned")

    assert told(checked(tmp_path, files)) == [
        "import-failed ACTS/send.py:1",
        "unknown-slot ACTS/send.py:11",
        "action-without-class data/flows.yml:21",
    ]


def test_what_a_failing_import_may_have_defined_is_not_called_missing(tmp_path: Path) -> None:
    """A name made at run time may be the one that is asked for."""
    files = changed(CALM, CODE, "from rasa_sdk import Action\n", "import no_such_module\nfrom rasa_sdk import Action\n")
    files = changed(files, CODE, 'return "action_send"', 'return "action_" + "send"')

    assert told(checked(tmp_path, files)) == ["import-failed ACTS/send.py:1"]


def test_a_project_with_nothing_in_it_says_so(tmp_path: Path) -> None:
    """A domain alone does nothing."""
    report = checked(tmp_path, {DOMAIN: "version: '3.1'\nslots: {}\n", "ACTS/__init__.py": ""})

    assert [f.message for f in report.findings] == ["the project has neither flows nor rules nor stories"]


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

    faulty = changed(CALM, FLOWS, "slots.kind == 'small'", "slots.kind == 'tiny'")
    with written(tmp_path, changed(faulty, CODE, "", "\n\nraise RuntimeError('imported')\n")) as package:
        findings = check_text(Path("."), package)

    assert {f.rule for f in findings} == {"impossible-value"}


def test_a_condition_without_end_is_a_finding(tmp_path: Path) -> None:
    """What cannot be read by recursion does not stop the check."""
    endless = " and ".join(["slots.kind == 'small'"] * 3000)

    assert told(checked(tmp_path, changed(CALM, FLOWS, "slots.kind == 'small'", endless))) == [
        "condition-syntax data/flows.yml:9"
    ]


def mangled(text: str, chance: random.Random) -> str:
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
        files[name] = mangled(files[name], chance)
    with written(tmp_path, files) as package:
        report = check(Request(Path("."), package, load=False))

    assert all(f.file and f.message and f.fix for f in report.findings)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_stop_the_reader_of_python(tmp_path: Path, content: bytes) -> None:
    """A file is read, or said not to be readable."""
    (tmp_path / "one.py").write_bytes(content)
    facts = read_package(tmp_path / "one.py", "one")

    assert len(facts.modules) + len(facts.unread) == 1
