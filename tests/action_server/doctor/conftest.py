"""A project without faults, and certificates that the openssl command line made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_server.doctor.bots import BOT
from tests.action_server.security.certificates import Files, make_files
from tests.projects import GREET, project


@pytest.fixture(scope="package")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose actions are fine."""
    made = project(tmp_path_factory.mktemp("bot"), {f"{BOT}.py": GREET})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(made)
        yield made
    sys.modules.pop(BOT, None)


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("certificates"))
