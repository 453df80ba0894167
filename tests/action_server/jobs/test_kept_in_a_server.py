"""A package keeps its jobs in a database of its own: in real servers, by `jobs work`, and beside a killed one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.action_server.jobs.work_process import work_until
from tests.action_server.serving.server_calls import call, fetch, metrics_with
from tests.processes import run, server

pytest_plugins = ["tests.databases"]

ACTIONS = """
import asyncio, os
from contextlib import asynccontextmanager
from pathlib import Path
from rasa_sdk import Action
from sqlalchemy import text
from action_server import Database, GiveUp, job, keep_jobs, later, services

@job(forgets=True, at_once=1)
def tell(booking: str) -> None:
    if booking == "refused":
        raise GiveUp("the CRM refuses it")
    with open("told.txt", "a") as file:
        file.write(f"{booking}\\n")

@job(every=0.1)
async def sweep() -> None:
    with open("swept.txt", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while Path("hang.txt").exists():
        await asyncio.sleep(0.01)

async def make(connection):
    await connection.execute(text("CREATE TABLE IF NOT EXISTS bookings (id TEXT)"))

@asynccontextmanager
async def lifespan(registry, config):
    database = await Database.open(os.environ["OWN_DATABASE"], lambda connection: None)
    await database.write(make)
    registry.register_value(Database, database)
    await keep_jobs(registry, database, [tell, sweep], concurrency=2)
    yield
    await database.close()

class ActionBook(Action):
    def name(self):
        return "action_book"
    async def run(self, dispatcher, tracker, domain):
        booking = tracker.get_slot("booking")
        async def write(connection):
            await connection.execute(text("INSERT INTO bookings VALUES (:id)"), {"id": booking})
            await later(tell.having(connection=connection), booking=booking)
            if booking == "fails":
                raise ValueError
        await services.get(Database).write(write)
        return []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose jobs are all kept by itself."""
    (tmp_path / "actions.py").write_text(ACTIONS)
    return tmp_path


@pytest.fixture
def own(database_url: str) -> Mapping[str, str]:
    """The variable that tells the project its database."""
    return {"OWN_DATABASE": database_url}


def has(folder: Path, name: str, *lines: str) -> bool:
    """Whether a file that jobs write has these lines."""
    path = folder / name
    return path.exists() and set(path.read_text().split()) >= set(lines)


async def test_a_server_runs_what_its_package_keeps(folder: Path, own: Mapping[str, str]) -> None:
    """Written with a booking or not at all; the server has no database of its own, and is ready."""
    with server(folder, "--database", "server.sqlite3", variables=own) as running:
        assert (await call(running.url, "action_book", booking="first"))[0] == 200
        assert running.wait_for("job.done")["job"] == "tell"
        assert (await call(running.url, "action_book", booking="fails"))[0] == 500
        assert (await call(running.url, "action_book", booking="refused"))[0] == 200
        assert running.wait_for("job.parked")["problem"] == "the CRM refuses it"
        page = await metrics_with(running.url, 'action_server_jobs{job_name="tell",state="parked"} 1.0')
        assert 'action_server_job_runs_total{job_name="sweep",outcome="done"}' in page
        assert (await fetch(f"{running.url}/ready"))[0] == 200
        assert running.stop() == 0
    assert (folder / "told.txt").read_text() == "first\n"
    assert has(folder, "swept.txt", str(running.process.pid))
    assert not (folder / "server.sqlite3").exists()
    assert "job.done" not in [line["event"] for line in running.log if line.get("job") == "sweep"]

    verbs = ("--database", own["OWN_DATABASE"])
    listed = run(folder, ["jobs", "list", *verbs])
    assert (listed.returncode, [line.split()[1] for line in listed.stdout.splitlines()[1:]]) == (1, ["tell", "sweep"])
    assert run(folder, ["jobs", "retry", "--job", "tell", *verbs]).returncode == 0
    assert run(folder, ["jobs", "cancel", "every", *verbs]).stdout == "sweep is cancelled\n"
    assert "cancelled" in run(folder, ["jobs", "show", "every", *verbs]).stdout


async def test_what_a_server_leaves_is_run_by_work(folder: Path, own: Mapping[str, str]) -> None:
    """With `--jobs 0` nothing is run, and nobody makes the periodic job's row; `jobs work` does both."""
    with server(folder, "--jobs", "0", variables=own) as running:
        assert (await call(running.url, "action_book", booking="first"))[0] == 200
        running.stop()
    assert not has(folder, "told.txt")
    assert not has(folder, "swept.txt")

    assert await asyncio.to_thread(work_until, folder, '"job.done"', **own) == 0
    assert has(folder, "told.txt", "first")


async def test_a_periodic_job_outlives_the_process_that_was_at_it(folder: Path) -> None:
    """Another one takes it over when its lease is over."""
    own = {"OWN_DATABASE": str(folder / "own.sqlite3")}
    (folder / "hang.txt").touch()
    with server(folder, variables=own) as first, server(folder, variables=own) as second:
        while not has(folder, "swept.txt"):  # noqa: ASYNC110 - a file sets no event
            await asyncio.sleep(0.01)
        [owner] = (folder / "swept.txt").read_text().split()
        os.kill(int(owner), signal.SIGKILL)
        (folder / "hang.txt").unlink()
        [other] = {str(one.process.pid) for one in (first, second)} - {owner}
        while not has(folder, "swept.txt", owner, other):  # noqa: ASYNC110 - a file sets no event
            await asyncio.sleep(0.01)
