"""Processes killed at any step lose nothing: others run their jobs, without anybody's doing.

`make reliability` has every worker die at every step, a host die as a whole, and PostgreSQL restarted in the middle.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from tests.action_server.jobs.job_deaths import count_deaths, each_step_once
from tests.action_server.jobs.job_host import STEPS
from tests.databases import restart_postgresql

pytest_plugins = ["tests.databases"]


async def test_a_kill_at_any_step_loses_nothing(database_url: str, tmp_path: Path) -> None:
    """Before and after the commit of each write, and in a run: two workers on SQLite, two hosts with two on PostgreSQL.

    PostgreSQL is restarted as well. Each job that was asked for is run, and is done; a key makes one job, though it is
    asked for again; those with an ordering key run in their order.
    """
    is_sqlite = database_url.startswith("sqlite")
    restart = None if is_sqlite else partial(asyncio.to_thread, restart_postgresql, database_url)
    seen = await count_deaths(database_url, tmp_path, each_step_once(1 if is_sqlite else 2, 2), meanwhile=restart)

    assert set(seen.deaths) == set(STEPS)
