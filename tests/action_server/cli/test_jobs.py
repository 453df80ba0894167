"""`action-server jobs list`, `show`, `retry` and `cancel`."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from action_server.cli.command_line import main
from action_server.jobs.table import metadata

IDS = {"waiting": "aa11" * 8, "running": "aa22" * 8, "parked": "bb33" * 8, "done": "cc44" * 8}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A queue with a job of each kind."""
    path, now = tmp_path / "server.sqlite3", time.time()
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    error, again = "ValueError at actions/send.py:7", "TimeoutError at send.py:9"
    end = now + 900
    rows = [
        (IDS["waiting"], "waiting", now + 90, None, 1, now - 30, end, error, None, None),
        (IDS["running"], "running", now + 10, None, 1, now - 60, end, None, 0.5, "half"),
        (IDS["parked"], "parked", None, now - 5, 4, now - 7300, end, again, None, None),
        (IDS["done"], "done", None, now - 5, 1, now - 90, end, None, None, None),
    ]
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO action_server_jobs (id, name, arguments, state, due_at, ended_at, attempt, losses, fence,"
            " cancel_asked, created_at, deadline_at, problem, progress, said, conversation, request_id, traceparent)"
            " VALUES (?, 'send_summary', '{\"who\": \"Anna\"}', ?, ?, ?, ?, 0, 1, 0, ?, ?, ?, ?, ?,"
            " 'c-1', 'r-1', '')",
            rows,
        )
        connection.commit()
    return path


def state(database: Path, of: str) -> tuple[str, int, int]:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT state, attempt, cancel_asked FROM action_server_jobs WHERE id = ?"
        found: tuple[str, int, int] = connection.execute(query, (IDS[of],)).fetchone()
        return found


def test_list_shows_what_needs_somebody_first(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In 80 columns, without what people said, and 1 because one is parked."""
    code = main(["jobs", "list", "--database", str(database)])

    said = capsys.readouterr().out
    assert code == 1
    assert max(map(len, said.splitlines())) <= 80
    firsts = [line.split()[:3] for line in said.splitlines() if line.split()[1:2] == ["send_summary"]]
    assert firsts == [[IDS[s][:12], "send_summary", s] for s in ("parked", "running", "waiting")]
    assert "50%" in said
    assert "Anna" not in said


def test_list_can_be_narrowed(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By state, by name, to a number; and everything, for machines."""
    at = ["--json", "--database", str(database)]
    assert main(["jobs", "list", "--state", "done", *at]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [IDS["done"]]
    assert main(["jobs", "list", "--job", "other", *at]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["jobs", "list", "--all", "--limit", "3", *at]) == 1
    listed = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in listed] == ["parked", "running", "waiting"]
    assert "arguments" not in listed[0]


PROBLEMS = {
    "nobody is at home": "nobody is at home",
    "ValueError at a b.py:7": "ValueError",
    "ValueError at a.py:7; a retry would be late": "ValueError; a retry would be late",
}


@pytest.mark.parametrize(("problem", "shown"), PROBLEMS.items())
def test_list_leaves_out_the_line_alone(
    database: Path, capsys: pytest.CaptureFixture[str], problem: str, shown: str
) -> None:
    """Not what a job itself said, whatever words that has, and not why it is not tried again."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE action_server_jobs SET problem = ? WHERE state = 'parked'", (problem,))
        connection.commit()

    assert main(["jobs", "list", "--state", "parked", "--database", str(database)]) == 1

    said = " ".join(capsys.readouterr().out.split()[4:])
    assert said.endswith(f" h {shown}")


def test_list_says_what_nobody_took(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever knew the name would have given it up at its deadline."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE action_server_jobs SET name = 'gone', deadline_at = ?", (time.time() - 7200,))
        connection.commit()
    main(["jobs", "list", "--state", "waiting", "--database", str(database)])

    assert "no worker took it in time" in capsys.readouterr().out


def test_show_tells_of_one(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the first digits of its id; the request that asked for it is named."""
    assert main(["jobs", "show", "bb", "--database", str(database)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for part in ("send_summary", "parked", "TimeoutError at send.py:9", "r-1", "2 h"):
        assert part in said


@pytest.mark.parametrize(
    ("start", "problem"), [("ff", "there is no job ff"), ("aa", "more than one job begins with aa"), ("%", "no job %")]
)
def test_an_id_names_one_job(database: Path, start: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown or too short is one line, and 1."""
    assert main(["jobs", "show", start, "--database", str(database)]) == 1
    assert problem in capsys.readouterr().err


def test_retry_lets_a_parked_one_run_again(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With all its tries, and the time for them that it had, however often it is let; nothing else."""
    for _ in range(2):
        assert main(["jobs", "retry", "bb", "--database", str(database)]) == 0
        assert state(database, "parked") == ("waiting", 0, 0)
        with closing(sqlite3.connect(database)) as connection:
            query = "SELECT deadline_at - created_at, deadline_at FROM action_server_jobs WHERE id = ?"
            given, until = connection.execute(query, (IDS["parked"],)).fetchone()
            connection.execute("UPDATE action_server_jobs SET state = 'parked' WHERE id = ?", (IDS["parked"],))
            connection.commit()
        assert given == pytest.approx(8200, abs=1)
        assert until == pytest.approx(time.time() + given, abs=60)
    assert main(["jobs", "retry", "aa22", "--database", str(database)]) == 1
    assert "is running; only what is parked" in capsys.readouterr().err


def test_retry_lets_all_parked_ones_of_a_name_run_again(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says how many; which ones has to be said, in one way."""
    at = ["--database", str(database)]
    assert main(["jobs", "retry", "--job", "send_summary", *at]) == 0
    assert state(database, "parked") == ("waiting", 0, 0)
    assert state(database, "done")[0] == "done"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE action_server_jobs SET state = 'parked' WHERE state != 'running'")
        connection.commit()
    assert main(["jobs", "retry", "--job", "send_summary", *at]) == 0
    assert capsys.readouterr().out == "1 job send_summary is run again\n3 jobs send_summary are run again\n"

    assert main(["jobs", "retry", "--job", "send_summary", *at]) == 1
    assert "no job send_summary is parked" in capsys.readouterr().err
    for words in ([], ["bb", "--job", "send_summary"]):
        assert main(["jobs", "retry", *words, *at]) == 2
        assert "for one job give its ID, and not both" in capsys.readouterr().err


def test_what_waits_for_another_one_says_so(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the same ordering key: it is not due, and no worker may take it."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE action_server_jobs SET due_at = NULL WHERE state = 'waiting'")
        connection.commit()
    assert main(["jobs", "show", "aa11", "--database", str(database)]) == 0
    assert "after another one of the same ordering key" in capsys.readouterr().out
    main(["jobs", "list", "--state", "waiting", "--database", str(database)])
    assert "after another one" in capsys.readouterr().out


def test_cancel_ends_what_waits_and_tells_what_runs(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What has ended is left."""
    assert main(["jobs", "cancel", "aa11", "--database", str(database)]) == 0
    assert main(["jobs", "cancel", "aa22", "--database", str(database)]) == 0
    assert main(["jobs", "cancel", "cc", "--database", str(database)]) == 1
    said = capsys.readouterr()
    assert said.out == "send_summary is cancelled\nsend_summary is told that it is cancelled\n"
    assert "send_summary is done" in said.err
    assert state(database, "waiting")[0] == "cancelled"
    assert state(database, "running") == ("running", 1, 1)


@pytest.mark.parametrize(("verb", "start"), [("cancel", "aa11"), ("retry", "bb"), ("show", "bb"), ("list", "--all")])
def test_what_stands_in_a_row_forges_no_line(
    verb: str, start: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others may write to the database; a break of lines is escaped like all that steers a terminal."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE action_server_jobs SET name = ?, said = name", ("a\r\nyou: \x1b[2Jyes\u202e",))
        connection.commit()
    main(["jobs", verb, start, "--database", str(database)])
    said = capsys.readouterr().out
    assert r"a\r\nyou: \x1b[2Jyes\u202e" in said
    assert not any(line.startswith("you:") for line in said.splitlines())


def test_without_a_queue_there_is_nothing_to_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no file is made."""
    assert main(["jobs", "list", "--database", str(tmp_path / "none.sqlite3")]) == 0
    assert capsys.readouterr().out == "there is no such job; --all shows those that are done, too\n"
    assert list(tmp_path.iterdir()) == []


def test_work_needs_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A package without one is said, and so is a concurrency that runs none."""
    (tmp_path / "jobless_actions.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(["jobs", "work", "--actions", "jobless_actions", "--concurrency", "0"]) == 2
    assert main(["jobs", "work", "--actions", "jobless_actions", "--concurrency", "1"]) == 2
    assert main(["jobs", "work", "--actions", "jobless_actions", "--metrics-port", "65536"]) == 2
    said = capsys.readouterr().err
    assert "--concurrency must be 1 or more" in said or "--concurrency: must be 1 or more" in said
    assert "has no function marked @job" in said
    assert "must be a port from 0 to 65535" in said
