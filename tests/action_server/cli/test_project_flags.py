"""Which settings count for a verb about a project."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from action_server.cli.project_flags import add_project_flags, folder_of, read_settings
from action_server.errors import SettingsError
from tests.projects import project


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_project_flags(parser)
    return parser.parse_args(flags)


def block(actions: str) -> str:
    return f"action_server: {{actions: {actions}}}\n"


@pytest.mark.parametrize(
    ("files", "flags", "environment", "actions"),
    [
        ({"assistant/endpoints.yml": block("below")}, [], {}, "below"),
        ({"assistant/endpoints.yml": block("below"), "endpoints.yml": block("here")}, [], {}, "here"),
        ({"assistant/endpoints.yml": block("below")}, ["--actions", "flag"], {}, "flag"),
        ({"assistant/endpoints.yml": block("below"), "o.yml": block("other")}, ["--endpoints", "o.yml"], {}, "other"),
        (
            {"assistant/endpoints.yml": block("below"), "o.yml": block("other")},
            [],
            {"ACTION_SERVER__ENDPOINTS": "o.yml"},
            "other",
        ),
        ({}, [], {}, "actions"),
    ],
    ids=["the project's", "here first", "a flag", "a file by flag", "a file by variable", "none"],
)
def test_the_projects_endpoints_count_where_nothing_else_is_said(
    folder: Path, files: dict[str, str], flags: list[str], environment: dict[str, str], actions: str
) -> None:
    """Flag, variable and working directory come first."""
    project(folder, {"assistant/domain.yml": "", **files})

    assert read_settings(parse(*flags), environment).actions == actions


def test_flags_for_the_parts_of_a_project_make_one_of_the_working_directory(folder: Path) -> None:
    """Without them there is none, and with a project in assistant/ that one counts."""
    project(folder, {"bot/domain.yml": ""})

    assert folder_of(parse("--domain", "bot/domain.yml")) == Path()
    with pytest.raises(SettingsError, match="there is no Rasa project"):
        folder_of(parse())
    project(folder, {"assistant/domain.yml": ""})
    assert folder_of(parse("--data", "bot")) == Path("assistant")
