"""A project that cannot be read to its end is checked as far as it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    DOMAIN,
    FLOWS,
    check_files,
    edit,
    lines_of,
)

# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "two slots of one name": (
        DOMAIN,
        "  sent:\n",
        "  kind:\n    type: text\n  sent:\n",
        ["duplicate-name domain.yml:8"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "a session of its own": (DOMAIN, "slots:\n", "session_config:\n  session_expiration_time: 5\nslots:\n"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []


def test_a_file_that_is_no_yaml_is_said_and_the_rest_is_checked(tmp_path: Path) -> None:
    """Faults of other files are found; what the broken one may hold is not called missing."""
    files = edit(CALM, FLOWS, "slots.kind == 'small'", "slots.kind === 'small'")
    files = edit(files, FLOWS, "action: utter_done", "action: utter_in_the_broken_file")
    files["data/more.yml"] = "flows:\n  broken: [\n"

    assert lines_of(check_files(tmp_path, files)) == ["condition-syntax data/flows.yml:9", "unreadable data/more.yml:3"]


def test_a_missing_domain_is_one_finding(tmp_path: Path) -> None:
    """It does not make every slot of the flows unknown."""
    files = {name: text for name, text in CALM.items() if name != DOMAIN}

    assert lines_of(check_files(tmp_path, files)) == ["unreadable .:0"]


def test_an_unknown_kind_of_step_is_said_with_its_place(tmp_path: Path) -> None:
    """And the flow's other steps are still checked."""
    files = edit(CALM, FLOWS, "      - link: other\n", "      - teleport: other\n      - collect: nobody\n")

    assert lines_of(check_files(tmp_path, files)) == ["unreadable data/flows.yml:22", "unknown-slot data/flows.yml:23"]


def test_a_key_that_engines_pass_over_is_a_warning(tmp_path: Path) -> None:
    """A misspelled section of the domain is no error for an engine, and has no effect."""
    report = check_files(tmp_path, edit(CALM, DOMAIN, "slots:\n", "respones: {}\nslots:\n"))

    assert [(f.rule.id, f.place.line, f.severity) for f in report.findings] == [("readable-with-care", 2, "warning")]


def test_a_project_with_nothing_in_it_says_so(tmp_path: Path) -> None:
    """A domain alone does nothing."""
    report = check_files(tmp_path, {DOMAIN: "version: '3.1'\nslots: {}\n", "ACTS/__init__.py": ""})

    assert [f.message for f in report.findings] == ["the project has neither flows nor rules nor stories"]
