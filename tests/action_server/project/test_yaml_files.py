"""YAML files are found as engines find them."""

from __future__ import annotations

from pathlib import Path

from action_server.project.yaml_files import yaml_files
from tests.projects import project


def names(root: Path, *, follow_links: bool = True) -> list[str]:
    return [str(path.relative_to(root)) for path in yaml_files(root, follow_links=follow_links)]


def test_files_are_found_in_order_and_generated_folders_left_alone(tmp_path: Path) -> None:
    """Both endings count, hidden files and models do not."""
    files = ["b.yml", "a.yaml", "deep/c.yml", "models/d.yml", ".hidden/e.yml", ".f.yml", "g.txt"]
    root = project(tmp_path, dict.fromkeys(files, ""))

    assert names(root) == ["a.yaml", "b.yml", "deep/c.yml"]


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    """Nothing is raised: its absence is told elsewhere."""
    assert names(tmp_path / "nowhere") == []


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    """A link back up does not lead around for ever, and a walk through other projects follows none."""
    root = project(tmp_path / "root", {"a.yml": ""})
    other = project(tmp_path / "other", {"b.yml": ""})
    (root / "linked").symlink_to(other)
    (root / "up").symlink_to(root)

    assert names(root) == ["a.yml", "linked/b.yml"]
    assert names(root, follow_links=False) == ["a.yml"]
