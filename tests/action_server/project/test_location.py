"""One rule says where the project is, if nobody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.project.location import holds_project, locate_project, project_folder
from tests.projects import project

DOMAIN = {"domain.yml": 'version: "3.1"\n'}
BELOW = {"assistant/domain.yml": 'version: "3.1"\n'}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (DOMAIN, "."),
        (BELOW, "assistant"),
        ({**DOMAIN, **BELOW}, "."),
        ({**DOMAIN, "assistant/README.md": ""}, "."),
        ({"README.md": "", "assistant/README.md": ""}, None),
        ({}, None),
    ],
    ids=["here", "in assistant/", "in both", "here, assistant/ has none", "in neither", "an empty folder"],
)
def test_the_working_directory_comes_before_the_folder_assistant(
    tmp_path: Path, files: dict[str, str], found: str | None
) -> None:
    """A folder counts for what it holds: that one called assistant exists says nothing."""
    project(tmp_path, files)

    assert locate_project(tmp_path) == (None if found is None else tmp_path / found)


@pytest.mark.parametrize(
    ("files", "holds"),
    [
        ({"domain.yaml": ""}, True),
        ({"domain/slots.yml": ""}, True),
        ({"domain/deep/slots.yaml": ""}, True),
        ({"domain/.keep": "", "domain/model.py": ""}, False),
        ({"data/flows/book.yml": 'version: "3.1"\nflows:\n  book: {}\n'}, True),
        ({"data/prices.yml": "tea: 3\nnight flows: none\n"}, False),
        ({"flows.yml": "flows:\n"}, False),
    ],
    ids=["domain.yaml", "a part", "a part below", "a package", "flows", "other data", "flows outside of data/"],
)
def test_a_folder_holds_a_project_if_it_has_a_domain_or_flows(
    tmp_path: Path, files: dict[str, str], holds: bool
) -> None:
    """By the names Rasa gives them; data/ counts only with flows in it, for it is everybody's name."""
    assert holds_project(project(tmp_path, files)) is holds


def test_the_folder_that_is_given_counts_whatever_it_holds(tmp_path: Path) -> None:
    """What is missing in it is said by who reads it; one that does not exist is refused."""
    project(tmp_path, DOMAIN)
    (tmp_path / "other").mkdir()

    assert project_folder(tmp_path / "other", here=tmp_path) == tmp_path / "other"
    with pytest.raises(SettingsError, match="--project: there is no folder"):
        project_folder(tmp_path / "nowhere", here=tmp_path)


def test_without_a_project_the_error_says_what_was_looked_for_and_where(tmp_path: Path) -> None:
    """And which flag names a folder. Where flags name its parts, the working directory is the project."""
    with pytest.raises(SettingsError) as raised:
        project_folder(None, here=tmp_path)

    for part in (str(tmp_path), "assistant/", "domain.yml", "domain/", "`flows:`", "--project DIR"):
        assert part in str(raised.value)
    assert project_folder(None, here=tmp_path, is_spread=True) == tmp_path


@pytest.mark.parametrize("given", [True, False])
def test_a_mantle_project_is_a_project(tmp_path: Path, given: bool) -> None:
    """It has skills instead of flows, which `check` reads; who wants to play it is told that there are no flows."""
    project(tmp_path, {"agent.yml": "agent: {language: en}\n", "skills/pay/skill.md": "# Pay\n"})

    assert project_folder(tmp_path if given else None, here=tmp_path) == tmp_path


def test_a_project_with_a_domain_is_none_of_mantle(tmp_path: Path) -> None:
    """Whatever else lies there."""
    project(tmp_path, {**DOMAIN, "agent.yml": "a: 1\n", "skills/pay/skill.md": "# Pay\n"})

    assert project_folder(tmp_path) == tmp_path
