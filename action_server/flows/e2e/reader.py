"""Reads test files: `test_cases:` with their fixtures, metadata and stubs, each finding with file and line.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from action_server.flows.e2e.assertions import read_assertions
from action_server.flows.e2e.cases import Case, UserStep
from action_server.flows.e2e.checks import (
    ANY_VALUE,
    Check,
    Uttered,
    bot_uttered,
    format_value,
    no_slot_event,
    slot_was_set,
)
from action_server.flows.e2e.stub_reader import Stubs, for_case
from action_server.project.fields import Fields, did_you_mean, kind_of
from action_server.project.places import Problems
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees
from action_server.protocol.jsonable import JsonObject
from action_server.source import Place

_FIXTURE_NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_-]*")
_METADATA_NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
# The slot by which tests set the clock, and what it takes.
_CLOCK = "mocked_datetime"
_TIMES = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
# What a conftest.yml may hold; fixtures alone are read here.
_SHARED_KEYS = ("fixtures", "llm_judge", "llm_e2e_test_conversion")
# Keys of a step that is not a message.
_EXPECTED = ("bot", "utter", "slot_was_set", "slot_was_not_set")


def read_cases(files: Sequence[Path], root: Path, trees: Trees) -> tuple[list[Case], Problems]:
    """Return the test cases of files, and what is wrong with them.

    ``root`` is the project's folder: up to there each conftest.yml's fixtures count as well, the nearest one's first.
    ``trees`` read the files, those that :func:`find_files` has read with them not once more.
    """
    problems = Problems()
    cases: list[Case] = []
    for file in files:
        node = trees.read(file, problems)
        if node is None:
            continue
        if not node.is_mapping or node.get("test_cases") is None:
            problems.at(node.place, "has no `test_cases:`")
            continue
        cases += _File(node, _read_shared_fixtures(file, root, trees, problems), problems).cases()
    return cases, problems


def find_files(paths: Sequence[Path], trees: Trees, problems: Problems) -> list[Path]:
    """Return the files with test cases among files and in folders, in order."""
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.suffix in (".yml", ".yaml") and p.is_file())
            read = ((p, trees.read(p, Problems())) for p in below)
            # One that is no YAML at all is reported when it is read.
            found += [p for p, node in read if node is None or "test_cases" in node.keys]
        else:
            problems.at(Place(file=str(path)), "does not exist")
    return list(dict.fromkeys(found))


def _read_shared_fixtures(file: Path, root: Path, trees: Trees, problems: Problems) -> dict[str, JsonObject]:
    found: dict[str, JsonObject] = {}
    root = Path(os.path.realpath(root))
    folders = [folder for folder in Path(os.path.realpath(file)).parents if folder == root or root in folder.parents]
    for folder in reversed(folders):
        path = next((p for p in (folder / "conftest.yml", folder / "conftest.yaml") if p.is_file()), None)
        node = trees.read(path, problems) if path is not None else None
        if node is not None:
            for key in (key for key in node.keys if key not in _SHARED_KEYS):
                problems.at(node.keys[key], f"a conftest.yml has no key {key!r}{did_you_mean(key, _SHARED_KEYS)}")
            found.update(_read_fixtures(node.get("fixtures"), problems))
    return found


def _read_fixtures(node: Node | None, problems: Problems) -> dict[str, JsonObject]:
    """Read a list of `name:` with a list of `slot: value` below."""
    found: dict[str, JsonObject] = {}
    for name, entry in _named(node, "fixture", _FIXTURE_NAME, problems):
        what = f"the fixture {name!r}"
        if name in found:
            problems.at(entry.place, f"{what} stands twice in this file")
        if not entry.is_list or any(not part.is_mapping for part in entry.elements()):
            problems.at(entry.place, f"{what} has to list `- slot: value`")
        found[name] = {key: value.plain() for part in entry.elements() for key, value in part.items()}
        if not _is_time(found[name].get(_CLOCK)):
            problems.at(entry.place, f"{_CLOCK!r} of {what} is no time, such as '2026-12-01T10:00:00'")
    return found


def _read_metadata(node: Node | None, problems: Problems) -> dict[str, JsonObject]:
    """Read a list of `name:` with a mapping below."""
    found: dict[str, JsonObject] = {}
    for name, entry in _named(node, "metadata", _METADATA_NAME, problems):
        if not entry.is_mapping:
            problems.at(entry.place, f"the metadata {name!r} has to be a mapping, not {kind_of(entry)}")
        found[name] = {key: value.plain() for key, value in entry.items()}
    return found


def _named(node: Node | None, what: str, form: re.Pattern[str], problems: Problems) -> Iterator[tuple[str, Node]]:
    if node is not None and node.value is not None and not node.is_list:
        problems.at(node.place, f"`{what}` has to be a list of `- name:`, not {kind_of(node)}")
    for element in node.elements() if node is not None else ():
        if not element.is_mapping:
            problems.at(element.place, f"a {what} has to be written `name:` with its values below")
        for name, entry in element.items():
            if not form.fullmatch(name):
                problems.at(element.keys.get(name, entry.place), f"{name!r} is no name of a {what}")
            yield name, entry


def _is_time(value: Any) -> bool:
    if value is None:
        return True
    for form in _TIMES if isinstance(value, str) else ():
        with contextlib.suppress(ValueError):
            datetime.strptime(value, form)
            return True
    return False


class _File:
    def __init__(self, node: Node, fixtures: Mapping[str, JsonObject], problems: Problems) -> None:
        self._problems = problems
        fields = Fields(node, "the test file", problems)
        self._cases = fields.elements("test_cases")
        self._fixtures = {**fixtures, **_read_fixtures(fields.take("fixtures"), problems)}
        self._metadata = _read_metadata(fields.take("metadata"), problems)
        self._stubs = Stubs(fields, problems)
        fields.note_unknown_keys()

    def cases(self) -> Iterator[Case]:
        seen: dict[str, Place] = {}
        for node in self._cases:
            case = self._case(node)
            if case is None:
                continue
            first = seen.setdefault(case.name, case.at)
            # Engines run both; stubs and results go by the name, so that nobody knows which of them is meant.
            yield case if first is case.at else replace(case, problem=f"a test of this name also stands at {first}")
        self._stubs.note_strangers(seen, self._cases[0].place if self._cases else Place(file=""))

    def _case(self, node: Node) -> Case | None:
        fields = Fields(node, "the test case", self._problems)
        name = fields.text("test_case")
        if not node.is_mapping or not name:
            self._problems.at(node.place, "a test case has to have a name: `test_case: ...`")
            return None
        fields.what = f"the test case {name!r}"
        steps = fields.elements("steps")
        if not steps:
            self._problems.at(node.place, f"{fields.what} has no steps")
        opening, users = self._steps(steps)
        slots: JsonObject = {}
        for wanted in fields.elements("fixtures"):
            slots.update(self._lookup(wanted, self._fixtures, "fixture"))
        metadata = fields.take("metadata")
        case = Case(
            name=name,
            at=fields.place_of("test_case"),
            steps=tuple(users),
            opening=tuple(opening),
            slots=slots,
            metadata=self._lookup(metadata, self._metadata, "metadata") if metadata is not None else {},
            stubs=for_case(self._stubs.actions, name),
            tools=for_case(self._stubs.tools, name),
            sub_agents=for_case(self._stubs.sub_agents, name),
            has_assertions=any("assertions" in step.keys for step in steps),
        )
        fields.note_unknown_keys()
        return case

    def _steps(self, nodes: Sequence[Node]) -> tuple[list[Check], list[UserStep]]:
        # As the format has it: where one step has assertions, those that are no messages say nothing.
        with_assertions = any("assertions" in node.keys for node in nodes)
        opening: list[Check] = []
        users: list[UserStep] = []
        for node in nodes:
            if "user" in node.keys:
                users.append(self._user(node, is_first=node is nodes[0]))
                continue
            checks = self._read_expectation(node)
            if with_assertions:
                text = f"is not looked at, as the test case has assertions: write {next(iter(node.keys), '')!r} as one"
                self._problems.at(node.place, text, "warning")
            elif users:
                users[-1] = _add_checks(users[-1], checks)
            else:
                opening += checks
        return opening, users

    def _user(self, node: Node, *, is_first: bool) -> UserStep:
        fields = Fields(node, "the step", self._problems)
        message = fields.text("user").strip()
        metadata = fields.take("metadata")
        assertions = fields.take("assertions")
        step = UserStep(
            message=message,
            at=fields.place_of("user"),
            checks=tuple(read_assertions(assertions, self._problems)) if assertions is not None else (),
            is_ordered=fields.flag("assertion_order_enabled"),
            metadata=self._lookup(metadata, self._metadata, "metadata") if metadata is not None else {},
            is_first=is_first,
        )
        if fields.has("assertion_order_enabled") and assertions is None:
            self._problems.at(fields.place_of("assertion_order_enabled"), "stands in a step without `assertions`")
        fields.note_unknown_keys()
        return step

    def _read_expectation(self, node: Node) -> list[Check]:
        """Read a step that says what has to follow."""
        found: list[Check] = []
        if len(node.keys) > 1:
            keys = ", ".join(node.keys)
            self._problems.at(node.place, f"a step has one key, and this one has {keys}")
        for key, value in node.items():
            at = node.keys[key]
            if key not in _EXPECTED:
                hint = did_you_mean(key, ("user", *_EXPECTED))
                self._problems.at(at, f"there is no step {key!r}; there are user, {', '.join(_EXPECTED)}{hint}")
            elif key in ("bot", "utter"):
                text = value.raw.strip() if value.is_scalar else ""
                if not isinstance(value.value, str):
                    self._problems.at(value.place, f"{key!r} of a step has to be a text, not {kind_of(value)}")
                wanted = Uttered(text=text) if key == "bot" else Uttered(response=text)
                found.append(Check(f"{key}: {text}", at, bot_uttered(wanted)))
            else:
                for name, wanted_value in self._slots(value):
                    said = "" if wanted_value is ANY_VALUE else f" = {format_value(wanted_value)}"
                    is_set = slot_was_set([(name, wanted_value)])
                    find = is_set if key == "slot_was_set" else no_slot_event(name, wanted_value)
                    found.append(Check(f"{key}: {name}{said}", at, find))
        if not node.keys:
            self._problems.at(node.place, "a step has to be `user:`, `bot:`, `utter:` or one for slots")
        return found

    def _slots(self, node: Node) -> Iterator[tuple[str, Any]]:
        if not node.is_list:
            self._problems.at(node.place, "has to be a list of slots, `- name` or `- name: value`")
        for part in node.elements() if node.is_list else [node]:
            if part.is_mapping:
                yield from ((name, value.plain()) for name, value in part.items())
            elif part.is_scalar and part.raw:
                yield part.raw, ANY_VALUE
            else:
                self._problems.at(part.place, "has to name a slot, or a slot with its value")

    def _lookup(self, node: Node, known: Mapping[str, JsonObject], what: str) -> JsonObject:
        if not isinstance(node.value, str):
            self._problems.at(node.place, f"has to name a {what}, not to be {kind_of(node)}")
        elif node.raw not in known:
            hint = did_you_mean(node.raw, known)
            self._problems.at(node.place, f"there is no {what} {node.raw!r}{hint}")
        return known.get(node.raw, {})


def _add_checks(step: UserStep, checks: Sequence[Check]) -> UserStep:
    return replace(step, checks=(*step.checks, *checks))
