"""The package fits into the environment of an assistant: beside rasa-pro 3.21.0, with what that pins.

`chat`, `flows test` and `check` belong there. As a program this asks the installer, for which it needs the registry.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pip._vendor.packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS_FILE = Path(__file__).parent / "rasa_pro_pins.txt"
# What rasa-sdk 3.21.0 pins on top of that: `Requires-Dist` of its wheel.
PINS_OF_THE_SDK = ("pydantic==2.13.4",)


def wanted(extras: tuple[str, ...] = ("flows", "jwt", "store")) -> Iterator[Requirement]:
    """Yield what the package asks for, with what is needed beside rasa-pro and the extras that those name."""
    for line in PYPROJECT["dependencies"]:
        yield Requirement(line)
    waiting = list(extras)
    for extra in waiting:
        for found in map(Requirement, PYPROJECT["optional-dependencies"][extra]):
            if found.name == PYPROJECT["name"]:
                waiting += found.extras
            else:
                yield found


def pins() -> dict[str, Requirement]:
    """Return what rasa-pro and its SDK ask for, by name."""
    lines = [line for line in PINS_FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {normalised(pin.name): pin for pin in map(Requirement, (*lines, *PINS_OF_THE_SDK))}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lowest_of(pin: Requirement) -> str:
    return next(found.version for found in pin.specifier if found.operator in (">=", "=="))


SHARED = sorted({normalised(found.name) for found in wanted()} & pins().keys())


@pytest.mark.parametrize("name", SHARED)
def test_what_rasa_pins_is_within_what_we_take(name: str) -> None:
    """Each requirement of ours takes the lowest version that rasa-pro does."""
    version = lowest_of(pins()[name])

    ours = [found for found in wanted() if normalised(found.name) == name]

    assert [found.specifier.contains(version) for found in ours] == [True] * len(ours)


def test_what_is_shared_is_found() -> None:
    """The row above would be green, too, if it found nothing."""
    assert {"aiohttp", "jinja2", "packaging", "pydantic", "pypred", "rasa-sdk", "rich", "sanic"} <= set(SHARED)


def resolve() -> int:
    """Let the installer choose a version of each shared package that suits both sides; returns its exit code."""
    asked = [str(found) for found in wanted() if normalised(found.name) in SHARED]
    flags = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *flags, "--constraint", str(PINS_FILE)]
    return subprocess.run([*command, *asked, *PINS_OF_THE_SDK], check=False).returncode


if __name__ == "__main__":
    sys.exit(resolve())
