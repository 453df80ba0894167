"""The pytest plugin: the fixture ``action_client``. Loaded at every start of pytest, so it imports nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
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
