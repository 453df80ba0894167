"""Settings as those of a server that is started in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from action_server.config import settings
from action_server.config.settings import Settings
from action_server.errors import SettingsError

SECRET = "sEcReT"


def parse(*arguments: str) -> dict[str, Any]:
    """What the command line makes of its flags."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    settings.add_flags(parser)
    return vars(parser.parse_args(arguments))


def read(*flags: str, file: str | bytes | None = None, **environment: str) -> Settings:
    """The settings of a server started like this in a folder with this endpoints.yml."""
    if file is not None:
        Path("endpoints.yml").write_bytes(file.encode() if isinstance(file, str) else file)
    return settings.read(parse(*flags), environment)


def refused(*flags: str, file: str | bytes | None = None, **environment: str) -> SettingsError:
    """The error of such a start: one line, and no value in it."""
    with pytest.raises(SettingsError) as error:
        read(*flags, file=file, **environment)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)
    return error.value
