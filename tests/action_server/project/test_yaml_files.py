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


def test_a_file_is_named_once_whatever_links_lead_to_it(tmp_path: Path) -> None:
    """Read twice, each flow in it would stand there twice."""
    root = project(tmp_path / "root", {"b.yml": "", "deep/c.yml": ""})
    (root / "link.yml").symlink_to(root / "b.yml")
    (root / "again").symlink_to(root / "deep")

    assert names(root) == ["again/c.yml", "b.yml"]


def test_no_link_leads_back_above_the_folder(tmp_path: Path) -> None:
    """What lies there is none of the folder: the domain is not among the data."""
    root = project(tmp_path / "root", {"domain.yml": "", "data/a.yml": ""})
    (root / "data" / "up").symlink_to(root)

    assert names(root / "data") == ["a.yml"]
