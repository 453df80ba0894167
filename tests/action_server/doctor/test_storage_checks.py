"""Planted faults of databases: folders, network file systems, replicas."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import svcs

from action_server import Database, job, keep_jobs
from action_server.doctor import storage_checks
from tests.action_server.doctor.bots import BOT, CLOSED, OPEN, examine_bot, ids

KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@pytest.fixture(autouse=True)
def _no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests run in."""
    monkeypatch.setattr(storage_checks, "_CONTAINER_FILES", ())


def found(
    bot: Path,
    settings: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
    **options: Any,
) -> list[tuple[str, str | None]]:
    """The rules that find something with these settings, and the entries they name."""
    content = {"action_endpoint": {**OPEN, "token": "right"}, "action_server": {**CLOSED, **settings}}
    findings = examine_bot(bot, content, environment, flags={"host": host}, **options)
    return [(finding.rule.id, finding.place.key) for finding in findings]


def test_a_folder_that_cannot_be_written_is_found(bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the server's own database and of those of services; one that is made when it is needed is fine."""
    (tmp_path / "file").write_text("")
    broken = f"{tmp_path}/file/once.sqlite3"

    assert found(bot, {"database": f"{tmp_path}/new/folder/once.sqlite3"}) == []
    assert found(bot, {"database": broken}) == [("database-folder", "action_server.database")]
    assert found(bot, {"services": {"clinic": {"database": f"sqlite:///{broken}"}}}) == [
        ("database-folder", "action_server.services.clinic.database")
    ]
    # Root, who may run these tests, may write everywhere.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert found(bot, {"database": f"{tmp_path}/once.sqlite3"}) == [("database-folder", "action_server.database")]


@pytest.mark.parametrize(
    ("kind", "rules"), [("nfs4", ["sqlite-network"]), ("fuse.s3fs", ["sqlite-network"]), ("ext4", []), ("", [])]
)
def test_sqlite_on_a_network_file_system_is_found(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rules: list[str]
) -> None:
    """Its locks do not hold between hosts. The mount is the nearest one above."""
    mounts = tmp_path / "mountinfo"
    line = "36 35 98:0 / {} rw,noatime shared:1 - {} source rw"
    mounts.write_text(f"{line.format('/', 'cifs')}\n{line.format(tmp_path, kind)}\nodd\n" if kind else "")
    monkeypatch.setattr(storage_checks, "_MOUNTS", mounts)

    assert [rule for rule, _ in found(bot, {"database": f"{tmp_path}/a/once.sqlite3"})] == rules


def test_sqlite_in_a_container_that_others_call_is_found(bot: Path, tmp_path: Path) -> None:
    """There may be a second replica, which knows nothing of what this one ran."""
    file = {"database": f"{tmp_path}/once.sqlite3"}

    assert found(bot, file, KUBERNETES, "0.0.0.0") == [("sqlite-container", "action_server.database")]  # noqa: S104
    assert found(bot, file, KUBERNETES) == []
    assert found(bot, file, {}, "0.0.0.0") == []  # noqa: S104
    assert found(bot, {"database": "postgresql://db/once"}, KUBERNETES, "0.0.0.0") == []  # noqa: S104
    assert found(bot, {}, KUBERNETES, "0.0.0.0") == []  # noqa: S104


def test_actions_that_run_once_have_a_database_without_a_setting(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the user's data folder, which goes with the container."""
    monkeypatch.setattr(storage_checks, "user_data_dir", lambda *_, **__: str(tmp_path))
    settings = {"actions": {"action_greet": {"idempotent": True}}}

    assert ids(
        examine_bot(bot, {"action_endpoint": OPEN, "action_server": settings}, KUBERNETES, {"host": "10.0.0.7"})
    ) == ["public-without-auth", "sqlite-container"]


def test_jobs_on_sqlite_in_a_container_are_found(bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one of several hosts; they have a database without a setting. PostgreSQL is everybody's."""
    monkeypatch.setattr(storage_checks, "user_data_dir", lambda *_, **__: str(tmp_path))
    assert found(bot, {}, KUBERNETES, "0.0.0.0") == []  # noqa: S104
    monkeypatch.setattr(sys.modules[BOT], "work", job(_work), raising=False)

    assert [rule for rule, _ in found(bot, {}, KUBERNETES, "0.0.0.0")] == ["sqlite-container", "jobs-sqlite"]  # noqa: S104
    assert found(bot, {}, KUBERNETES) == []
    assert found(bot, {"database": "postgresql://db/jobs"}, KUBERNETES, "0.0.0.0") == []  # noqa: S104


def test_jobs_that_a_package_keeps_are_found_in_its_own_database(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not in the server's if all are there; unopened, it is known that it could keep some."""
    monkeypatch.setattr(storage_checks, "user_data_dir", lambda *_, **__: str(tmp_path))
    file = tmp_path / "own.sqlite3"
    settings = {"services": {"clinic": {"database": str(file)}}}
    own = "action_server.services.clinic.database"
    work = job(_work)
    for name, value in {"work": work, "keep_jobs": keep_jobs}.items():
        monkeypatch.setattr(sys.modules[BOT], name, value, raising=False)
    assert found(bot, settings, KUBERNETES, "0.0.0.0") == [  # noqa: S104
        *(("sqlite-container", "setting database"), ("jobs-sqlite", "setting database")),
        *(("sqlite-container", own), ("jobs-sqlite", own)),
    ]

    @asynccontextmanager
    async def lifespan(registry: svcs.Registry, config: Mapping[str, Any]) -> AsyncIterator[None]:
        database = await Database.open(config["clinic"]["database"], lambda _: None)
        await keep_jobs(registry, database, [work])
        yield
        await database.close()

    monkeypatch.setattr(sys.modules[BOT], "lifespan", lifespan, raising=False)
    seen = found(bot, settings, KUBERNETES, "0.0.0.0", online=True)  # noqa: S104
    assert [one for one in seen if "sqlite" in one[0]] == [("sqlite-container", own), ("jobs-sqlite", own)]


async def _work() -> None:
    """Do nothing."""
