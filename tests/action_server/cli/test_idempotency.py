"""`action-server idempotency list` and `free`."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from action_server.cli.command_line import main

DEAD, FAILED, ALIVE, DONE = "dead" * 16, "feed" * 16, "a11e" * 16, "d0e0" * 16


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with a run of each kind."""
    path, now = tmp_path / "server.sqlite3", time.time()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE action_server_once (key VARCHAR(64) PRIMARY KEY, state VARCHAR(8) NOT NULL, owner VARCHAR(16)"
            " NOT NULL, lease_until DOUBLE NOT NULL, expires_at DOUBLE NOT NULL, answer TEXT)"
        )
        rows = [
            (DEAD, "running", "owner-1", now - 3600, now + 80_000),
            (FAILED, "failed", "owner-1", now - 60, now + 600),
            (ALIVE, "running", "owner-2", now + 1000, now + 86_400),
            (DONE, "done", "owner-2", now - 60, now + 600),
            ("over" * 16, "running", "owner-2", now - 60, now - 1),
        ]
        connection.executemany("INSERT INTO action_server_once VALUES (?, ?, ?, ?, ?, NULL)", rows)
        connection.commit()
    return path


def keys(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM action_server_once")}


def test_list_shows_what_has_no_answer(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In 80 columns, and 1 because repeats are refused."""
    code = main(["idempotency", "list", "--database", str(database)])

    said = capsys.readouterr().out
    assert code == 1
    assert max(map(len, said.splitlines())) <= 80
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["key", "state"],
        [DEAD[:12], "unknown"],
        [FAILED[:12], "failed"],
        [ALIVE[:12], "running"],
    ]
    assert "silent for 1 h" in said


def test_list_gives_machines_whole_keys(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And seconds."""
    assert main(["idempotency", "list", "--json", "--database", str(database)]) == 1

    listed = json.loads(capsys.readouterr().out)
    assert [(one["key"], one["state"]) for one in listed] == [
        (DEAD, "unknown"),
        (FAILED, "failed"),
        (ALIVE, "running"),
    ]
    assert listed[0]["lease"] < 0 < listed[0]["expires"]


def test_without_a_store_there_is_nothing_to_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no file is made."""
    assert main(["idempotency", "list", "--database", str(tmp_path / "none.sqlite3")]) == 0

    assert capsys.readouterr().out == "every run has its answer\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "freed"),
    [(["dead"], {DEAD}), ([DEAD, "FEED"], {DEAD, FAILED}), (["--all"], {DEAD, FAILED})],
    ids=["its first digits", "two of them", "all"],
)
def test_free_lets_calls_run_again(
    database: Path, arguments: list[str], freed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are named, and never what runs."""
    before = keys(database)

    assert main(["idempotency", "free", *arguments, "--json", "--database", str(database)]) == 0

    assert set(json.loads(capsys.readouterr().out)["freed"]) == freed
    assert before - keys(database) == freed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a11e"], "a11ea11ea11e is running: its process is alive"),
        (["deaddeaddaed"], "there is no unfinished run 'deaddeaddaed'; did you mean 'deaddeaddead'?"),
        (["dead", DONE], "there is no unfinished run"),
    ],
    ids=["it is running", "a slip of the pen", "it has its answer"],
)
def test_free_refuses_the_rest(
    database: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and nothing is freed."""
    before = keys(database)

    assert main(["idempotency", "free", *arguments, "--database", str(database)]) == 1

    assert said in capsys.readouterr().err
    assert keys(database) == before


def test_free_has_to_be_told_what(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No key, or keys and all."""
    for arguments in ([], ["dead", "--all"]):
        assert main(["idempotency", "free", *arguments, "--database", str(database)]) == 2
    assert "name the keys to be freed, or give --all" in capsys.readouterr().err


def test_a_verb_that_there_is_not_gets_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the group, too."""
    with pytest.raises(SystemExit, match="2"):
        main(["idempotence", "list"])

    assert "did you mean 'idempotency'?" in capsys.readouterr().err
