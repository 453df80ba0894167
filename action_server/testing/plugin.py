"""The pytest plugin: the fixture ``action_client``. Loaded at every start of pytest, so it imports nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from action_server.testing.client import ActionClient

_INI = "action_server_project"
_RECORD = "--record-actions"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of pytest's own file that names the project's folder, and the flag that records calls."""
    parser.addini(_INI, "folder with the actions and endpoints.yml, relative to the root of the tests", default="")
    group = parser.getgroup("action-server")
    group.addoption(_RECORD, metavar="DIR", help="write the calls of action_client into this folder, to make stubs of")


@pytest.fixture
def action_project(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the actions and endpoints.yml; override it for a project that lies elsewhere."""
    from action_server.testing.tested_project import find_folder

    root = request.config.rootpath
    given = str(request.config.getini(_INI))
    return root / given if given else find_folder(request.path.parent, root)


@pytest.fixture
def action_client(action_project: Path, request: pytest.FixtureRequest) -> Iterator[ActionClient]:
    """Return what runs the project's actions, by the server's own decoder and executor; closed after the test."""
    from action_server.testing.client import ActionClient

    record = request.config.getoption(_RECORD)
    folder = request.config.invocation_params.dir / record if record else None
    with ActionClient(action_project, record=folder) as client:
        yield client


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Leave our own frames out of a failure: the line of the test and those of the action are what its author knows."""
    if call.excinfo is None or "action_client" not in getattr(item, "fixturenames", ()):
        return
    if not item.config.getoption("fulltrace", False):
        _fold(call.excinfo.tb)


def _fold(first: TracebackType) -> None:
    """Unlink our frames, and those of futures and threads between them.

    What lies behind the last one of ours is the action's, and of libraries that it calls, where the error may be.
    """
    from action_server.source import is_of_author, is_of_server

    frames: list[TracebackType] = []
    frame: TracebackType | None = first
    while frame is not None:
        frames.append(frame)
        frame = frame.tb_next
    files = [frame.tb_frame.f_code.co_filename for frame in frames]
    ours = [number for number, file in enumerate(files) if is_of_server(file)]
    if not ours or ours[0] == 0:
        return
    kept = [f for n, f in enumerate(frames) if not ours[0] <= n <= ours[-1] or is_of_author(files[n])]
    for frame, after in zip(kept, [*kept[1:], None], strict=True):
        frame.tb_next = after
