"""The trees of a project's files, and the words of those beside it."""

from __future__ import annotations

from pathlib import Path

from action_server.project.project_reader import read_project
from action_server.project.sources import Sources, read_sources
from action_server.project.yaml_tree import Trees
from tests.projects import project

FILES = {
    "bot/domain.yml": "slots: {age: {type: float}}",
    "bot/data/flows.yml": "flows: {hi: {description: d, steps: [{action: utter_hi}]}}",
    "bot/data/credentials.yml": "rest: {}",
    "other/domain.yml": "slots: {their_slot: {type: text}}",
    "notes/list.yml": "shopping: [milk]",
}


def sources_of(folder: Path, files: dict[str, str]) -> Sources:
    root = project(folder, files) / "bot"
    trees = Trees()
    return read_sources(read_project(root, trees=trees), root, None, None, folder, trees)


def test_the_project_s_own_files_are_trees(tmp_path: Path) -> None:
    """Those of the domain and those with data; credentials are neither."""
    sources = sources_of(tmp_path, FILES)

    assert sorted(Path(file).name for file in sources.trees) == ["domain.yml", "flows.yml"]
    assert [list(section.keys) for section in sources.sections("slots")] == [["age"]]
    assert sources.find("flows", "hi", "description") is not None
    assert sources.find("flows", "nowhere") is None


def test_a_mapping_is_found_by_its_place(tmp_path: Path) -> None:
    """As findings need it, which know places."""
    sources = sources_of(tmp_path, FILES)
    node = sources.find("slots", "age")

    assert node is not None
    assert sources.mapping_at(node.place) is node


def test_words_of_other_projects_are_known_and_those_of_other_files_are_not(tmp_path: Path) -> None:
    """A name that a neighbour uses is no mistake in code that both share."""
    sources = sources_of(tmp_path, FILES)

    assert sources.has_projects_beside
    assert "their_slot" in sources.words_beside
    assert not {"milk", "age"} & sources.words_beside


def test_a_file_that_cannot_be_read_says_what_may_be_missing(tmp_path: Path) -> None:
    """Of data, flows; of the domain, slots: what is not there may stand in it."""
    data = sources_of(tmp_path / "a", {**FILES, "bot/data/more.yml": "a: ["})
    domain = sources_of(tmp_path / "b", {**FILES, "bot/domain.yml": "a: ["})

    assert (data.lacks_data, data.lacks_domain, len(data.unread)) == (True, False, 1)
    assert (domain.lacks_data, domain.lacks_domain) == (False, True)
