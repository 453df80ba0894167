"""A project without faults, and certificates that the openssl command line made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_server.doctor.bots import BOT
from tests.action_server.security.test_tls import Files
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
    made = Files(tmp_path_factory.mktemp("certificates"))
    for ca in ("ca", "other-ca"):
        made.make_ca(ca)
    made.make_leaf("server", "ca")
    made.make_leaf("client", "ca")
    made["garbage.pem"].write_text("garbage\n")
    made["broken.pem"].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return made
