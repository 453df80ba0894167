"""Whether the versions that a bot asks for leave those in with which this server runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.files import File
from action_server.findings.finding import Finding

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DISTRIBUTION = "action-server"
_REQUIREMENTS = re.compile(r"(?:.*[-_.])?requirements?(?:[-_.].*)?\.(?:txt|in)")
_ENGINES = frozenset({"rasa", "rasa-pro", "rasa-plus"})
_OLDEST = (3, 10)
_VERSION = re.compile(r"(\d+)\.(\d+)")


def check_requirements(file: File) -> Iterator[Finding]:
    """Check the lines of a requirements file, the dependencies of a pyproject.toml, or a file that names a Python."""
    if _REQUIREMENTS.fullmatch(file.basename) or re.search(r"(?:^|/)requirements/[^/]*\.(?:txt|in)$", file.name):
        for line, text in file.lines():
            yield from _check(file, line, text.partition(" #")[0].strip())
    elif file.basename == "pyproject.toml":
        project = _project(file)
        for line, text in _dependencies(file, project):
            yield from _check(file, line, text)
        yield from _check_python_of(file, project)
    elif file.basename in {"runtime.txt", ".python-version"}:
        yield from _check_version_file(file)


def check_python(file: File, line: int, version: str) -> Iterator[Finding]:
    """Check the version of Python that an image or a file names."""
    found = _VERSION.match(version)
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        yield Finding.of(rules.PYTHON_TOO_OLD, file.at(line), version=found[0])


def _check_version_file(file: File) -> Iterator[Finding]:
    for line, text in file.lines():
        yield from check_python(file, line, text.strip().removeprefix("python-"))


def _check_python_of(file: File, project: Mapping[str, Any]) -> Iterator[Finding]:
    written = _table(project, "project").get("requires-python") or _poetry(_of_poetry(project).get("python", ""))
    try:
        allowed = SpecifierSet(str(written))
    except InvalidSpecifier:
        return
    if not any(allowed.contains(f"3.{minor}.99") for minor in range(_OLDEST[1], _OLDEST[1] + 20)):
        line = next((number for number, text in file.lines() if "python" in text and "=" in text), 0)
        yield Finding.of(rules.PYTHON_TOO_OLD, file.at(line), version=written)


def _project(file: File) -> dict[str, Any]:
    try:
        return tomllib.loads(file.text)
    except tomllib.TOMLDecodeError:
        return {}


def _table(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the table at a path; an empty one where something else stands, which is for other tools to say."""
    for key in path:
        found = tree.get(key)
        tree = found if isinstance(found, Mapping) else {}
    return tree


def _of_poetry(project: Mapping[str, Any]) -> Mapping[str, Any]:
    return _table(project, "tool", "poetry", "dependencies")


def _dependencies(file: File, project: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    plain = _table(project, "project").get("dependencies")
    listed = [str(text) for text in plain] if isinstance(plain, list) else []
    listed += [f"{name}{_poetry(version)}" for name, version in _of_poetry(project).items() if name != "python"]
    for text in listed:
        name = re.split(r"[\s\[<>=!~;@]", text, maxsplit=1)[0]
        lines = (number for number, line in file.lines() if re.search(rf"(?i)\b{re.escape(name)}\b", line))
        yield next(lines, 0), text


def _poetry(version: object) -> str:
    """Return a version of Poetry's as pip writes it: `^1.2` leaves the next first number out, a bare one is a pin."""
    written = version.get("version", "") if isinstance(version, Mapping) else version
    text = written if isinstance(written, str) else ""
    first = re.match(r"\^(\d+)", text)
    if first:
        return f">={text[1:]},<{int(first[1]) + 1}"
    if text.startswith("~") and not text.startswith("~="):
        return f"~={text[1:]}" if "." in text else f"=={text[1:]}.*"
    if text == "*":
        return ""
    return f"=={text}" if text[:1].isdigit() else text


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
