"""The package fits into the environment of an assistant: beside rasa-pro, with what that pins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pip._vendor.packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The lowest version that rasa-pro 3.21.0 allows of each package that both need, from the metadata of its wheel.
PINS = {
    "PyJWT": "2.15.0",
    "aiohttp": "3.14.3",
    "jinja2": "3.1.6",
    "pypred": "0.4.0",
    "rasa-sdk": "3.21.0",
    "rich": "14.2.0",
    "ruamel.yaml": "0.19.1",
    "sanic": "25.12",
    "sqlalchemy": "2.0.50",
}
# What rasa-sdk 3.21.0 pins on top of that.
PINS_OF_THE_SDK = {"pydantic": "2.13.4"}


@pytest.mark.parametrize(("name", "version"), {**PINS, **PINS_OF_THE_SDK}.items())
def test_what_rasa_pins_is_within_what_we_take(name: str, version: str) -> None:
    """`chat`, `flows test` and `check` belong into the assistant's own environment."""
    wanted = [Requirement(r) for r in (*PYPROJECT["dependencies"], *PYPROJECT["optional-dependencies"]["flows"])]

    assert [r.specifier.contains(version) for r in wanted if r.name.lower() == name.lower()] == [True]
