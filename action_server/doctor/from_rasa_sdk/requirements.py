"""Whether the versions that a bot asks for leave those in with which this server runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.dependencies import dependencies_in, python_wanted, pythons_named
from action_server.doctor.from_rasa_sdk.files import File
from action_server.findings.finding import Finding

_DISTRIBUTION = "action-server"
_ENGINES = frozenset({"rasa", "rasa-pro", "rasa-plus"})
_OLDEST = (3, 10)
_VERSION = re.compile(r"(\d+)\.(\d+)")


def check_requirements(file: File) -> Iterator[Finding]:
    """Check what a file asks for, and the Python it is for."""
    for line, text in dependencies_in(file):
        yield from _check(file, line, text)
    yield from _check_python_of(file)
    for line, version in pythons_named(file):
        yield from check_python(file, line, version)


def check_python(file: File, line: int, version: str) -> Iterator[Finding]:
    """Check the version of Python that an image or a file names."""
    found = _VERSION.match(version)
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        yield Finding.of(rules.PYTHON_TOO_OLD, file.at(line), version=found[0])


def _check_python_of(file: File) -> Iterator[Finding]:
    written = python_wanted(file)
    try:
        allowed = SpecifierSet(written)
    except InvalidSpecifier:
        return
    if not any(allowed.contains(f"3.{minor}.99") for minor in range(_OLDEST[1], _OLDEST[1] + 20)):
        line = next((number for number, text in file.lines() if "python" in text and "=" in text), 0)
        yield Finding.of(rules.PYTHON_TOO_OLD, file.at(line), version=written)


def _check(file: File, line: int, text: str) -> Iterator[Finding]:
    try:
        wanted = Requirement(text)
    except (InvalidRequirement, InvalidSpecifier):
        return
    name = canonicalize_name(wanted.name)
    if name in _ENGINES:
        yield Finding.of(rules.RASA_BESIDE, file.at(line), written=text)
    needed = _needed().get(name)
    if needed is None or wanted.url:
        return
    installed = metadata.version(name)
    allowed, pinned = needed, _pin(wanted.specifier)
    fits = pinned in allowed if pinned else wanted.specifier.contains(installed, prereleases=True)
    if not fits:
        facts = {
            "written": text,
            "needed": f"{name} {installed}",
            "name": name,
            "allowed": str(allowed) or f"=={installed}",
        }
        yield Finding.of(rules.REQUIREMENT_CONFLICT, file.at(line), **facts)


def _pin(specifier: SpecifierSet) -> str:
    exact = [part.version for part in specifier if part.operator == "==" and not part.version.endswith("*")]
    return exact[0] if exact else ""


@cache
def _needed() -> dict[str, SpecifierSet]:
    """Return what this server needs, and what that needs: names of packages and the versions that will do."""
    found: dict[str, SpecifierSet] = {}
    waiting = [_DISTRIBUTION]
    seen: set[str] = set()
    while waiting:
        distribution = waiting.pop()
        if distribution in seen:
            continue
        seen.add(distribution)
        for requirement in map(Requirement, metadata.requires(distribution) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = canonicalize_name(requirement.name)
                found[name] = found.get(name, SpecifierSet()) & requirement.specifier
                waiting.append(name)
    return found
