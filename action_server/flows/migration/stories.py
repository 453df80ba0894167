"""Drafts end-to-end tests of stories, and plays each of them with the drafted flows before it is called one."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from action_server.config.settings import Settings
from action_server.flows.check.stories import entries
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.e2e.cases import Case, Stub
from action_server.flows.e2e.reader import read_cases
from action_server.flows.e2e.runner import Result, play
from action_server.flows.session.failures import FailureLog
from action_server.flows.session.stage import Stage
from action_server.project.engine_names import is_default_action
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.project.sources import Sources
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import Trees

_FILE = "cases.yml"


@dataclass
class _Step:
    text: str
    assertions: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class DraftedTest:
    """A test made of a story. ``fault`` is why it does not pass, empty if it does; ``left_out`` what it cannot say."""

    name: str
    text: str
    fault: str = ""
    left_out: tuple[str, ...] = ()


def draft_tests(
    project: Project, sources: Sources, flows: Mapping[str, str], used: Collection[str], files: Mapping[str, str]
) -> list[DraftedTest]:
    """Draft a test for each story in which the user says something.

    ``flows`` are the drafted flows by the form or the intent that they were made of, ``used`` the actions that they
    run, ``files`` the drafted project that the tests are played with: by rules, and with actions that do nothing.
    """
    drafts: dict[str, DraftedTest] = {}
    for entry in entries(sources, "stories"):
        drafted = _Story(project, flows, used).draft(entry)
        if drafted is not None:
            drafts.setdefault(drafted.name, drafted)
    faults = asyncio.run(_play_all(files, [*drafts.values()])) if drafts else {}
    return [replace(drafted, fault=faults.get(name, "")) for name, drafted in drafts.items()]


def as_file(tests: list[DraftedTest]) -> str:
    """Return the tests as one file; above each that does not pass, or says less than its story, stands why."""
    return "test_cases:\n" + "\n".join(_with_notes(test) for test in tests)


def _with_notes(test: DraftedTest) -> str:
    faults = [f"it does not pass yet: {test.fault}"] if test.fault else []
    notes = "".join(f"  # To do: {note}.\n" for note in (*faults, *test.left_out))
    return notes + test.text


class _Story:
    def __init__(self, project: Project, flows: Mapping[str, str], used: Collection[str]) -> None:
        self._used = used
        self._project = project
        self._flows = flows
        self._steps: list[_Step] = []
        self._form = ""
        self._left_out: dict[str, None] = {}

    def draft(self, entry: Node) -> DraftedTest | None:
        name, steps = entry.get("story"), entry.get("steps")
        if name is None or not name.raw or steps is None:
            return None
        for step in steps.elements():
            self._add(step)
        said = [step for step in self._steps if step.text]
        if not said or not any(step.assertions for step in said):
            return None
        return DraftedTest(name.raw, "\n".join(_lines(name.raw, said)) + "\n", left_out=tuple(self._left_out))

    def _add(self, step: Node) -> None:
        alternatives = step.get("or")
        first = next(iter(alternatives.elements()), None) if alternatives is not None else None
        step = first if first is not None else step
        action, loop, slots = step.get("action"), step.get("active_loop"), step.get("slot_was_set")
        if step.get("intent") is not None or step.get("user") is not None:
            self._say(step)
        elif action is not None and self._steps:
            self._run(action.raw)
        elif loop is not None:
            self._form = loop.raw if loop.value is not None else ""
        elif slots is not None:
            self._fill(slots)
        elif step.get("checkpoint") is not None:
            self._left_out["the story goes on at a checkpoint, which is left out"] = None

    def _say(self, step: Node) -> None:
        intent, user = step.get("intent"), step.get("user")
        name = intent.raw if intent is not None else ""
        examples = self._project.nlu.get(name, ())
        text = user.raw if user is not None else examples[0] if examples else name.replace("_", " ")
        self._steps.append(_Step(text))
        if name in self._flows:
            self._expect("flow_started", self._flows[name])

    def _run(self, action: str) -> None:
        if action in self._project.domain.forms:
            if not self._form and action in self._flows:
                self._expect("flow_started", self._flows[action])
            self._form = action
        elif is_default_action(action):
            return
        elif action not in self._used:
            self._left_out[f"no draft runs {action}"] = None
        elif action.startswith("utter_"):
            self._expect("bot_uttered", {"utter_name": action})
        else:
            self._expect("action_executed", action)

    def _expect(self, name: str, value: Any) -> None:
        if (name, value) not in self._steps[-1].assertions:
            self._steps[-1].assertions.append((name, value))

    def _fill(self, slots: Node) -> None:
        """Take the answers to a form's questions for what the user says, if the story has nothing said."""
        form = self._project.domain.forms.get(self._form)
        for name, value in _slots(slots):
            if form is None or name not in form.required_slots or value is None:
                continue
            if not self._steps or self._steps[-1].assertions:
                self._steps.append(_Step(str(value)))
            self._expect("slot_was_set", [{"name": name, "value": value}])


def _slots(node: Node) -> Iterator[tuple[str, Any]]:
    for element in [node] if node.is_mapping else node.elements():
        yield from ((name, value.value) for name, value in element.items() if value.is_scalar)


def _lines(name: str, steps: list[_Step]) -> Iterator[str]:
    # A JSON text is a YAML text.
    yield f"  - test_case: {json.dumps(name, ensure_ascii=False)}"
    yield "    steps:"
    for step in steps:
        yield f"      - user: {json.dumps(step.text, ensure_ascii=False)}"
        if step.assertions:
            yield "        assertions:"
        for assertion, value in step.assertions:
            yield f"          - {assertion}: {json.dumps(value, ensure_ascii=False)}"


async def _play_all(files: Mapping[str, str], tests: list[DraftedTest]) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="action-server-") as folder:
        root = Path(folder)
        for name, text in {**files, _FILE: as_file(tests)}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        project = read_project(root)
        cases, problems = read_cases([root / _FILE], root, Trees())
        stage, log = Stage(project, Settings(), OfflineCommandGenerator), FailureLog()
        faults = {case.name: _fault_of(await play(_alone(case, project), stage, log)) for case in cases}
    unread = {test.name: str(problems[0].message) for test in tests if problems and test.name not in faults}
    return {**faults, **unread}


def _alone(case: Case, project: Project) -> Case:
    return replace(case, stubs=dict.fromkeys(project.domain.actions, Stub((), ())))


def _fault_of(result: Result) -> str:
    if result.problem:
        return result.problem
    failed = [f"after {played.turn.message!r} no {check}" for played, check in result.failures]
    return failed[0] if failed else ""
