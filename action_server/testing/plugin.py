"""The pytest plugin: the fixture ``action_client``. Loaded at every start of pytest, so it imports nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from action_server.testing.client import ActionClient

_INI = "action_server_project"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of pytest's own file that names the project's folder."""
    parser.addini(_INI, "folder with the actions and endpoints.yml, relative to the root of the tests", default="")


@pytest.fixture
def action_project(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the actions and endpoints.yml; override it for a project that lies elsewhere."""
    from action_server.testing.tested_project import find_folder

    root = request.config.rootpath
    given = str(request.config.getini(_INI))
    return root / given if given else find_folder(request.path.parent, root)


@pytest.fixture
def action_client(action_project: Path) -> Iterator[ActionClient]:
    """Return what runs the project's actions, by the server's own decoder and executor; closed after the test."""
    from action_server.testing.client import ActionClient

    with ActionClient(action_project) as client:
        yield client
