"""An action answers at once and its job runs later: in a real server, and by `jobs work` alone."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from action_server.database import Database
from action_server.jobs.table import metadata
from benchmarks import history
from tests.action_server.jobs.work_process import page_of_work_until, work_until
from tests.action_server.serving.server_calls import call, fetch, metrics_with
from tests.processes import run, server

ACTIONS = """
from pathlib import Path
from rasa_sdk import Action
from action_server import idempotent, job, later, services

@job
async def write(text: str) -> int:
    Path("written.txt").write_text(text)
    return len(text)

@job
def write_on_thread(text: str) -> int:
    Path("written.txt").write_text(text)
    return len(text)

class ActionLater(Action):
    def name(self):
        return "action_later"
    async def run(self, dispatcher, tracker, domain):
        ordered = await later(write, text="later")
        dispatcher.utter_message(text=f"I am looking into it: {ordered.id}")
        return []

class ActionLaterOnThread(Action):
    def name(self):
        return "action_later_on_thread"
    def run(self, dispatcher, tracker, domain):
        services.blocking(later(write_on_thread, text="by a thread"))
        return []

class ActionWrong(Action):
    def name(self):
        return "action_wrong"
    async def run(self, dispatcher, tracker, domain):
        await later(write, text=7)
        return []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose actions ask for jobs."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    return tmp_path


def test_work_that_is_told_to_stop_waits_for_no_start(folder: Path) -> None:
    """For a database that is down it would wait two minutes."""
    waiting = """
from contextlib import asynccontextmanager
import asyncio, logging
@asynccontextmanager
async def lifespan(services, config):
    logging.getLogger("bot").warning("hanging")
    await asyncio.Event().wait()
    yield
"""
    (folder / "actions.py").write_text(ACTIONS + waiting)

    assert work_until(folder, '"hanging"') == -signal.SIGTERM


async def test_work_ends_though_a_thread_of_a_job_does_not(folder: Path) -> None:
    """The job is given back and run elsewhere: two would be at it as long as this process lives."""
    stuck = """
import logging, threading
@job
def wait() -> None:
    logging.getLogger("bot").warning("stuck")
    threading.Event().wait()
"""
    (folder / "actions.py").write_text(ACTIONS + stuck)
    database = await Database.open(folder / "jobs.sqlite3", metadata.create_all)
    await database.write(lambda connection: history.fill_jobs(connection, 1, "wait", "waiting", 1.0))
    await database.close()

    assert await asyncio.to_thread(work_until, folder, '"stuck"') == 0


def done(line: dict[str, object]) -> tuple[object, ...]:
    return line["event"], line["job"], line["attempt"]


async def test_an_action_answers_and_its_job_runs(folder: Path) -> None:
    """From async and from synchronous actions; the line of the job has the request id of the call."""
    with server(folder, "--database", "jobs.sqlite3") as running:
        status, answer = await call(running.url, "action_later")
        assert status == 200
        line = running.wait_for("job.done")
        assert done(line) == ("job.done", "write", 1)
        asked = next(one for one in running.log if one.get("event") == "job.asked_for")
        assert answer["responses"][0]["text"] == f"I am looking into it: {asked['job_id']}"
        assert line["request_id"] == asked["request_id"] != ""
        assert (folder / "written.txt").read_text() == "later"
        assert (await call(running.url, "action_later_on_thread"))[0] == 200
        assert done(running.wait_for("job.done")) == ("job.done", "write_on_thread", 1)
        assert (await call(running.url, "action_wrong"))[0] == 500
        assert running.stop() == 0


async def test_jobs_of_a_server_that_runs_none_are_run_by_work(folder: Path) -> None:
    """`--jobs 0` leaves them to `jobs work`, which stops when it is told to. A full queue leaves a server ready."""
    database = await Database.open(folder / "jobs.sqlite3", metadata.create_all)
    await database.write(lambda connection: history.fill_jobs(connection, 3000, "write", "waiting", time.time() + 3600))
    await database.write(lambda connection: history.fill_jobs(connection, 7, "write", "parked", None))
    await database.close()
    with server(folder, "--database", "jobs.sqlite3", "--jobs", "0") as running:
        assert (await call(running.url, "action_later"))[0] == 200
        page = await metrics_with(running.url, 'action_server_jobs{job_name="write",state="waiting"}')
        assert 'action_server_jobs{job_name="write",state="parked"} 7.0' in page
        assert 'action_server_jobs_late_seconds{job_name="write"}' in page
        assert (await fetch(f"{running.url}/ready"))[0] == 200
        running.stop()
    listed = run(folder, ["jobs", "list", "--database", "jobs.sqlite3", "--state", "waiting", "--limit", "5"])
    assert "waiting" in listed.stdout

    code, page = await asyncio.to_thread(page_of_work_until, folder, '"job.done"')
    assert code == 0
    assert 'action_server_job_runs_total{job_name="write",outcome="done"} 1.0' in page
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as connection:
        rows = connection.execute("SELECT ended_at FROM action_server_jobs WHERE state = 'done'").fetchall()
    assert [ended <= time.time() for (ended,) in rows] == [True]
