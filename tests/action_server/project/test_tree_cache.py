"""What is kept of YAML files between runs: the same trees, never a wrong one, and nothing that is secret."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from action_server.project.places import Problems
from action_server.project.tree_cache import FOLDER, TreeCache
from action_server.project.yaml_files import SETTINGS_FILES
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees, parse_tree
from tests.counting import Entered
from tests.projects import project

_REPOSITORY = Path(__file__).parents[3]
_TEXTS = (
    "a: 1\nb: [x, {c: 1.5, d: true}]\n",
    "a: &x {k: 1, l: [2]}\nb: {<<: *x, l: 3}\nc: *x\n",
    "a: 2026-11-29\nb: 0x1F\nc: 1e400\nd: .nan\ne: -.inf\nf: ~\ng: !!int twelve\n",
    "a: 1\na: 2\n? [x]\n: y\n",
    "plain text",
    "",
    '- "quoted: yes"\n- |\n  block\n  of lines\n- ünïcode 🦦\n',
    "a: 'half \"quoted'\nb: no\nc: on\nd: 1_000\ne: 0o17\n",
)


def read(path: Path, cache: TreeCache | None) -> tuple[Node | None, list[str], int]:
    """Return a file's tree and problems, and how often something was parsed for them."""
    problems = Problems()
    with Entered() as entered:
        tree = Trees(cache=cache).read(path, problems)
    return tree, [f"{problem.severity} {problem}" for problem in problems], entered.by_name["compose"]


def entry_in(folder: Path) -> Path:
    [entry] = (folder / FOLDER / "trees").glob("*.tree")
    return entry


@pytest.mark.parametrize("text", _TEXTS)
def test_a_kept_tree_is_the_one_that_is_read(tmp_path: Path, text: str) -> None:
    """With all values, their types, texts and places, and all problems; and nothing is parsed for it."""
    path = tmp_path / "data.yml"
    path.write_text(text, encoding="utf-8")
    first = read(path, TreeCache(tmp_path, "1.0"))
    again = read(path, TreeCache(tmp_path, "1.0"))

    assert (first[2], again[2]) == (1, 0)
    # As text: NaN is unlike itself, and 1 is like True.
    assert repr(again[:2]) == repr(first[:2]) == repr(read(path, None)[:2])


def test_all_yaml_of_this_repository_is_kept_as_it_is_read(tmp_path: Path) -> None:
    """Some hundred kilobytes of domains, flows, stories, tests and workflows."""
    cache, count = TreeCache(tmp_path, "1.0"), 0
    files = [p for name in ("assistant", "actions", "action_server") for p in (_REPOSITORY / name).rglob("*.yml")]
    for path in files:
        text, problems, found = path.read_text(encoding="utf-8"), Problems(), Problems()
        tree = parse_tree(text, "file", problems)
        if tree is not None and path.name not in SETTINGS_FILES:
            cache.keep(str(path), text, tree, problems)
            assert cache.find(str(path), text, "file", found) == tree
            assert found == problems
            count += 1
    assert count >= 10


def test_another_text_and_another_file_are_others(tmp_path: Path) -> None:
    """The entry of a file counts for its text alone."""
    cache, node = TreeCache(tmp_path, "1.0"), parse_tree("a: 1", "f", Problems())
    assert node is not None
    cache.keep("/p/a.yml", "a: 1", node, Problems())

    assert cache.find("/p/a.yml", "a: 1", "f", Problems()) == node
    assert cache.find("/p/a.yml", "a: 2", "f", Problems()) is None
    assert cache.find("/p/b.yml", "a: 1", "f", Problems()) is None
    # An entry that somebody moves still says which text it is of.
    entry = entry_in(tmp_path)
    assert cache.find("/p/a.yml", "a: 1", "elsewhere.yml", Problems()) == parse_tree(
        "a: 1", "elsewhere.yml", Problems()
    )
    shutil.move(entry, cache._path("/p/b.yml"))
    assert cache.find("/p/b.yml", "b: 1", "f", Problems()) is None


def test_one_of_another_version_is_none(tmp_path: Path) -> None:
    """Another version may read a text otherwise."""
    path = tmp_path / "data.yml"
    path.write_text("a: 1")
    read(path, TreeCache(tmp_path, "1.0"))

    assert read(path, TreeCache(tmp_path, "1.1"))[2] == 1
    assert read(path, TreeCache(tmp_path, "1.1"))[2] == 0


def test_what_is_half_written_or_spoilt_is_read_anew_and_mended(tmp_path: Path) -> None:
    """Cut off at any byte, or with any byte changed."""
    path = tmp_path / "data.yml"
    path.write_text("a: [1, two, {three: 3.5}]")
    expected = read(path, TreeCache(tmp_path, "1.0"))[0]
    entry = entry_in(tmp_path)
    whole = entry.read_bytes()
    spoilt = [whole[:size] for size in range(len(whole))]
    spoilt += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for content in (*spoilt, whole + b"\0"):
        entry.write_bytes(content)
        assert TreeCache(tmp_path, "1.0").find(os.path.realpath(path), path.read_text(), "f", Problems()) is None
    tree, _, parsed = read(path, TreeCache(tmp_path, "1.0"))

    assert (tree, parsed) == (expected, 1)
    assert entry.read_bytes() == whole


def test_a_well_made_entry_of_no_tree_is_none(tmp_path: Path) -> None:
    """Whoever can write there can write digests, too: that gives no tree and no error."""
    cache = TreeCache(tmp_path, "1.0")
    node = parse_tree("a: 1", "f", Problems())
    assert node is not None
    cache.keep("/a", "a: 1", node, Problems())
    for payload in (b"", b"\xc0", b"\x92\xc0\xc0", b"\x92\x93\x01\x01\x81\xa1a\x01\x90", b"\x92\x90\x90"):
        entry_in(tmp_path).write_bytes(cache._digest("a: 1", payload) + payload)
        assert cache.find("/a", "a: 1", "f", Problems()) is None


@pytest.mark.parametrize("name", ["endpoints.yml", "credentials.yml", "config.yml"])
def test_nothing_is_kept_of_settings(tmp_path: Path, name: str) -> None:
    """They hold tokens."""
    path = tmp_path / name
    path.write_text("token: secret")

    assert [read(path, TreeCache(tmp_path, "1.0"))[2] for _ in range(2)] == [1, 1]
    assert not (tmp_path / FOLDER).exists()


def test_nothing_is_kept_of_what_holds_the_environment(tmp_path: Path) -> None:
    """A variable may be secret, and another one tomorrow."""
    path = tmp_path / "data.yml"
    path.write_text("a: ${KEY}")
    values = []
    for key in ("one", "two"):
        tree = Trees({"KEY": key}, TreeCache(tmp_path, "1.0")).read(path, Problems())
        assert tree is not None
        values.append(tree.plain())

    assert values == [{"a": "one"}, {"a": "two"}]
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("at", [FOLDER, f"{FOLDER}/trees"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_where_nothing_can_be_kept_all_is_read(tmp_path: Path, at: str, kind: str) -> None:
    """A project that is read-only, or one whose folder is a link to files of others: these stay as they are."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    old = elsewhere / "notes.tree"
    old.write_text("mine")
    os.utime(old, (0, 0))
    place = tmp_path / "bot" / at
    place.parent.mkdir(parents=True)
    if kind == "file":
        place.write_text("in the way")
    else:
        place.symlink_to(elsewhere)
    path = tmp_path / "data.yml"
    path.write_text("a: 1")

    assert [read(path, TreeCache(tmp_path / "bot", "1.0"))[2] for _ in range(2)] == [1, 1]
    assert [entry.name for entry in elsewhere.iterdir()] == ["notes.tree"]


def test_what_nobody_asks_for_goes(tmp_path: Path) -> None:
    """Thirty days after the last run that did; what was asked for stays, and no other file of the folder goes."""
    trees = tmp_path / FOLDER / "trees"
    used, gone = tmp_path / "used.yml", tmp_path / "gone.yml"
    for path in (used, gone):
        path.write_text("a: 1")
        read(path, TreeCache(tmp_path, "1.0"))
    (trees / "unfinished.tmp").touch()
    (trees / "other").touch()
    for entry in trees.iterdir():
        os.utime(entry, (time.time() - 40 * 24 * 3600,) * 2)
    assert read(used, TreeCache(tmp_path, "1.0"))[2] == 0
    gone.rename(tmp_path / "renamed.yml")
    read(tmp_path / "renamed.yml", TreeCache(tmp_path, "1.0"))

    assert {entry.name for entry in trees.iterdir()} == {
        TreeCache(tmp_path, "1.0")._path(os.path.realpath(used)).name,
        TreeCache(tmp_path, "1.0")._path(os.path.realpath(tmp_path / "renamed.yml")).name,
        "other",
    }


def test_git_does_not_see_it(tmp_path: Path) -> None:
    """As with .ruff_cache, nobody has to add it to a .gitignore."""
    path = project(tmp_path, {"data.yml": "a: 1"}) / "data.yml"
    read(path, TreeCache(tmp_path, "1.0"))
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run([git, *command], cwd=tmp_path, check=True)
    listed = subprocess.run([git, "ls-files"], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert listed.stdout.split() == ["data.yml"]
    assert (tmp_path / FOLDER / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
