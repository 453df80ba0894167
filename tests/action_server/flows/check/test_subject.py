"""What is known for certain: a name is missing only where everything that could define it was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    CLASSIC,
    CODE,
    DOMAIN,
    FLOWS,
    check_files,
    edit,
    lines_of,
)

NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "responses of a server": ("endpoints.yml", "", "nlg:\n  url: http://localhost:5056/nlg\n"),
    "responses of training data": (
        "data/nlu.yml",
        "",
        "version: '3.1'\nresponses:\n  utter_more:\n    - text: More.\n",
    ),
}


# What the fault would be, were it not for the near miss.
WITH: dict[str, tuple[str, str, str]] = {
    "responses of a server": (FLOWS, "action: utter_done", "action: utter_elsewhere"),
    "responses of training data": (FLOWS, "action: utter_done", "action: utter_more"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    files = edit(CALM_AND_MORE, *NEAR_MISSES[name])
    if name in WITH:
        files = edit(files, *WITH[name])

    assert lines_of(check_files(tmp_path, files)) == []


def test_a_domain_in_parts_is_one_domain(tmp_path: Path) -> None:
    """Slots in one file, responses in another, as in a folder `domain`."""
    before, responses = CALM[DOMAIN].split("responses:\n")
    responses, actions = responses.split("actions:\n")
    files = {name: text for name, text in CALM.items() if name != DOMAIN}
    files |= {
        "domain/slots.yml": before,
        "domain/more/responses.yml": f"responses:\n{responses}",
        "data/actions.yml": f"actions:\n{actions}",
    }

    assert lines_of(check_files(tmp_path, files)) == []


def test_a_project_of_both_kinds_is_checked_as_one(tmp_path: Path) -> None:
    """Flows beside rules and forms, with one domain in two files."""
    domain = "\n".join(line for line in CLASSIC[DOMAIN].splitlines())
    files = {"domain/calm.yml": CALM[DOMAIN], "domain/classic.yml": domain, FLOWS: CALM[FLOWS]}
    files |= {"data/rules.yml": CLASSIC["data/rules.yml"], "ACTS/__init__.py": ""}
    files |= {"ACTS/send.py": CALM[CODE], "ACTS/order.py": CLASSIC["ACTS/order.py"]}

    assert lines_of(check_files(tmp_path, files)) == []


def test_a_broken_part_of_the_domain_leaves_the_flows_checked(tmp_path: Path) -> None:
    """Slots may stand in the part that cannot be read; links cannot."""
    files = {"domain/one.yml": CALM[DOMAIN], "domain/two.yml": "slots:\n\t- x\n", **CALM}
    del files[DOMAIN]
    files = edit(files, FLOWS, "collect: kind", "collect: in_the_broken_part")
    files = edit(files, FLOWS, "link: other", "link: otter")

    assert lines_of(check_files(tmp_path, files)) == ["unknown-flow data/flows.yml:22", "unreadable domain/two.yml:2"]
