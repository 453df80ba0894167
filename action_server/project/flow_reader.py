"""Reads the `flows:` of a file into the model.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import re

from action_server.project.fields import Fields, did_you_mean, kind_of
from action_server.project.flows import END, START, Branch, Flow, LinkStep, NluTrigger, Step
from action_server.project.places import Problem, Problems
from action_server.project.step_reader import STEP_KINDS, condition_of, is_step, read_step, step_label
from action_server.project.yaml_node import Node
from action_server.source import Place

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
# Flows with another id, one with a hyphen for instance, engines do not hold against their schema.
_ID_IN_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNKNOWN_KEY = "has no key"


def read_flows(node: Node, problems: Problems, *, is_default: bool = False) -> list[Flow]:
    """Read the value of a `flows:` key. What cannot be read is a problem, and the rest is still read."""
    if not node.is_mapping:
        problems.at(node.place, f"'flows' has to be a mapping of ids to flows, not {kind_of(node)}")
        return []
    found = []
    for name, flow in node.items():
        own = Problems()
        found.append(_read_flow(name, node.keys[name], flow, own, is_default))
        is_held = _ID_IN_SCHEMA.fullmatch(name) is not None
        problems += [p if is_held or _UNKNOWN_KEY not in p.message else _milder(p) for p in own]
    return found


def _milder(problem: Problem) -> Problem:
    return problem.model_copy(update={"severity": "warning"})


def _read_flow(name: str, at: Place, node: Node, problems: Problems, is_default: bool) -> Flow:
    fields = Fields(node, f"the flow {name!r}", problems, filled=True, or_empty=("description",))
    if not _ID.fullmatch(name):
        problems.at(at, f"{name!r} is not the id of a flow: letters, digits, _ and -, not beginning with -")
    guard = fields.take("if")
    found = Flow(
        id=name,
        at=at,
        name=fields.text("name"),
        description=fields.text("description"),
        guard=None if guard is None else condition_of(guard, problems, may_be_bool=True),
        nlu_trigger=tuple(_read_triggers(fields, problems)),
        persisted_slots=fields.texts("persisted_slots"),
        run_pattern_completed=fields.flag("run_pattern_completed", True),
        steps=_Steps(name, problems).read(fields),
        translation=_read_translation(fields, problems),
        is_default=is_default,
    )
    if not found.description:
        problems.at(at, f"the flow {name!r} has no description")
    # Every flow is shown to who generates commands.
    fields.check_flag("always_include_in_prompt")
    # What an agent is told when the flow begins is not played.
    fields.check("on_activate", "a text or a mapping", str, dict)
    fields.check_mapping("metadata")
    fields.check_text("file_path")
    fields.note_unknown_keys()
    return found


def _read_translation(fields: Fields, problems: Problems) -> dict[str, str]:
    node = fields.take("translation")
    found: dict[str, str] = {}
    if node is None or node.value is None:
        return found
    if not node.is_mapping:
        problems.at(node.place, f"'translation' of {fields.what} has to be a mapping, not {kind_of(node)}")
    for language, entry in node.items():
        if language != "metadata":
            translation = Fields(entry, f"the translation {language!r} of {fields.what}", problems)
            found[language] = translation.text("name")
            if not found[language]:
                problems.at(node.keys[language], f"{translation.what} has no name")
            translation.skip("metadata")
            translation.note_unknown_keys()
    return found


def _read_triggers(fields: Fields, problems: Problems) -> list[NluTrigger]:
    found = []
    nodes = fields.elements("nlu_trigger")
    if fields.has("nlu_trigger") and not nodes:
        problems.at(fields.place_of("nlu_trigger"), f"'nlu_trigger' of {fields.what} lists no intent")
    for node in nodes:
        if node.is_scalar:
            problems.at(node.place, f"an nlu_trigger of {fields.what} is a text; write `intent: {node.raw}`")
            found.append(NluTrigger(intent=node.raw, at=node.place))
            continue
        entry = Fields(node, f"an nlu_trigger of {fields.what}", problems)
        intent = node.get("intent")
        if intent is not None and intent.is_mapping:
            entry.skip("intent")
            named = Fields(intent, f"an intent of {fields.what}", problems)
            # An intent that a button sends is certain.
            named.check_number("confidence_threshold")
            found.append(NluTrigger(intent=named.text("name"), at=node.place))
            named.note_unknown_keys("warning")
            entry.note_unknown_keys()
            continue
        if entry.text("intent"):
            found.append(NluTrigger(intent=entry.text("intent"), at=node.place))
        else:
            problems.at(node.place, f"an nlu_trigger of {fields.what} names no intent")
        entry.note_unknown_keys("warning")
    return found


class _Steps:
    """Reads the steps of one flow: gives those without an id one, and puts nested ones into a row."""

    def __init__(self, flow: str, problems: Problems) -> None:
        self._flow = flow
        self._problems = problems
        self._ids: dict[int, str] = {}
        self._steps: list[Step] = []

    def read(self, fields: Fields) -> tuple[Step, ...]:
        nodes = fields.elements("steps")
        if not nodes:
            self._problems.at(fields.place_of("steps"), f"{fields.what} has no steps")
        self._assign_ids(nodes)
        self._read_row(nodes, "", is_nested=False)
        self._lead_to_start()
        self._check_ids()
        return tuple(self._steps)

    def _lead_to_start(self) -> None:
        """Let `next: START` lead to the first step."""
        for number, step in enumerate(self._steps):
            if any(branch.target == START for branch in step.next):
                first = self._steps[0].id
                branches = (b.model_copy(update={"target": first}) if b.target == START else b for b in step.next)
                self._steps[number] = step.model_copy(update={"next": tuple(branches)})

    def _assign_ids(self, nodes: list[Node]) -> None:
        """Give each step its id: counted through the flow in the order of the file, as engines do."""
        for node in nodes:
            given = node.get("id")
            label = f"{self._flow}_{len(self._ids)}_{step_label(node)}"
            self._ids[id(node)] = given.raw if given is not None and given.is_scalar and given.raw else label
            for nested in _nested_steps(node):
                self._assign_ids(nested)

    def _read_row(self, nodes: list[Node], inside_of: str, *, is_nested: bool) -> None:
        nodes = [node for node in nodes if is_step(node, self._flow, self._problems)]
        for number, node in enumerate(nodes):
            is_last = number + 1 == len(nodes)
            following = END if is_last else self._ids[id(nodes[number + 1])]
            step_id = self._ids[id(node)]
            position = len(self._steps)
            branches = self._read_branches(node, step_id, following)
            step = read_step(node, self._flow, step_id, branches, inside_of, self._problems)
            self._steps.insert(position, step)
            if is_nested and is_last and node.get("next") is None and not isinstance(step, LinkStep):
                self._problem(node.place, f"the last step of a branch, {step_id!r}, needs a `next`, at least END")

    def _read_branches(self, node: Node, step_id: str, following: str) -> tuple[Branch, ...]:
        found = node.get("next")
        noop = node.get("noop")
        if found is None and noop is not None and noop.is_list:
            # As one page of the documentation writes it.
            found = noop
        if found is None:
            return (Branch(target=following, at=node.place),)
        if found.is_scalar:
            if not isinstance(found.value, str):
                self._problem(found.place, f"the `next` of {step_id!r} has to be a text, not {kind_of(found)}")
            return (Branch(target=found.raw or following, at=found.place),)
        if not found.is_list:
            self._problem(found.place, "`next` has to be an id, END or a list of branches")
            return (Branch(target=following, at=node.place),)
        if not found.value and node.get("next") is found:
            # As if there were none.
            return (Branch(target=following, at=node.place),)
        if _are_steps(found):
            self._problem(found.place, f"the `next` of {step_id!r} lists steps; they stand behind `then` or `else`")
            return (Branch(target=self._read_sequence(list(found.elements()), step_id, found.place), at=found.place),)
        branches = tuple(self._read_branch(branch, step_id) for branch in found.elements())
        if all(branch.condition is not None for branch in branches):
            self._problem(found.place, f"the branches of {step_id!r} have no `else`")
        # An `else` counts once no condition holds, wherever it stands.
        return tuple(sorted(branches, key=lambda branch: branch.condition is None))

    def _read_branch(self, node: Node, step_id: str) -> Branch:
        fields = Fields(node, f"a branch of {step_id!r}", self._problems, filled=True, or_empty=("then", "else"))
        other = fields.take("else")
        predicate = fields.take("if")
        target = fields.take("then") if predicate is not None else other
        if (predicate is None) == (other is None):
            self._problem(node.place, f"{fields.what} has to have either `if` and `then` or `else`")
        fields.note_unknown_keys("warning")
        condition = None if predicate is None else condition_of(predicate, self._problems, may_be_bool=True)
        return Branch(
            target=self._read_target(target, step_id, node.place),
            at=node.place,
            condition=condition,
            is_else=predicate is None,
        )

    def _read_target(self, node: Node | None, step_id: str, place: Place) -> str:
        if node is None or node.is_mapping or (node.is_scalar and not node.raw):
            self._problem(place, f"a branch of {step_id!r} leads nowhere; name a step, END or a list of steps")
            return END
        if node.is_scalar and not isinstance(node.value, str):
            self._problem(node.place, f"a branch of {step_id!r} has to lead to a text, not to {kind_of(node)}")
        return self._read_sequence(list(node.elements()), step_id, place) if node.is_list else node.raw

    def _read_sequence(self, nodes: list[Node], step_id: str, place: Place) -> str:
        if not nodes:
            self._problem(place, f"a branch of {step_id!r} has no steps")
            return END
        before = len(self._steps)
        self._read_row(nodes, step_id, is_nested=True)
        return self._steps[before].id if len(self._steps) > before else END

    def _check_ids(self) -> None:
        known = {step.id for step in self._steps}
        seen: set[str] = set()
        for step in self._steps:
            if step.id in seen:
                self._problem(step.at, f"two steps have the id {step.id!r}")
            seen.add(step.id)
            for branch in step.next:
                if branch.target != END and branch.target not in known:
                    hint = did_you_mean(branch.target, known)
                    self._problem(branch.at, f"no step has the id {branch.target!r}{hint}")

    def _problem(self, place: Place, message: str) -> None:
        self._problems.at(place, f"{message} (flow {self._flow!r})")


def _nested_steps(node: Node) -> list[list[Node]]:
    found = node.get("next") or node.get("noop")
    if found is None or not found.is_list:
        return []
    if _are_steps(found):
        return [list(found.elements())]
    targets = [branch.get("then") or branch.get("else") for branch in found.elements()]
    return [list(target.elements()) for target in targets if target is not None and target.is_list]


def _are_steps(node: Node) -> bool:
    elements = list(node.elements())
    return bool(elements) and all(any(e.get(kind) is not None for kind in STEP_KINDS) for e in elements)
