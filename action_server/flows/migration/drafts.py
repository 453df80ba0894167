"""A draft of a flow for each form, and of the domain such flows need."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from action_server.flows.migration.candidates import Candidate, Ending
from action_server.project.domain import CONTROLLED, Domain, Slot
from action_server.project.project import Project

# In a domain the braces are written twice.
_INTENT = re.compile(r"/[^\s{(]+\s*(?:\{(\{[^{}]*\})\}|(\{[^{}]*\}))", re.DOTALL)
_MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Draft:
    """A flow made of a form. ``text`` stands below `flows:`; ``notes`` are what is left to do by hand.

    ``fault`` is why it does not play to its end, empty if it does.
    """

    flow: str
    form: str
    text: str
    notes: tuple[str, ...]
    fault: str = ""


def flow_names(project: Project) -> dict[str, str]:
    """Return a flow's id for each form: its name without `_form`, if that is free."""
    names: dict[str, str] = {}
    for form in project.domain.forms:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", form.removesuffix("_form")).lstrip("-") or "flow"
        if name.startswith("pattern_"):
            name = f"flow_{name}"
        while name in project.all_flows or name in names.values():
            name = f"{name}_draft"
        names[form] = name
    return names


def draft_flows(
    project: Project, candidates: Sequence[Candidate], methods: Mapping[str, Sequence[str]], classes: Collection[str]
) -> list[Draft]:
    """Draft a flow for each form, in the order of the candidates; one for forms that follow each other.

    ``methods`` are the slots that a form's class validates, ``classes`` the names of the actions there are.
    """
    names = flow_names(project)
    forms = {c.form: c for c in candidates if c.form}
    parts = _only_parts(forms)
    drafts = [
        _FlowDrafter(project, names, methods, classes, forms, found).draft()
        for form, found in forms.items()
        if form not in parts
    ]
    taken = {*project.all_flows, *names.values()}
    return [*drafts, *(_draft_intent(project, found, taken) for found in candidates if runs_actions(found))]


def runs_actions(found: Candidate) -> bool:
    """Tell what an intent leads to that does something and asks nothing; small talk only says something."""
    return not found.form and any(not name.startswith("utter_") for name in found.actions)


def _draft_intent(project: Project, found: Candidate, taken: set[str]) -> Draft:
    """Draft a flow of an intent that leads to actions without a form."""
    flow = re.sub(r"[^A-Za-z0-9_-]", "_", found.name).lstrip("-") or "flow"
    while flow in taken:
        flow = f"{flow}_draft"
    taken.add(flow)
    described, note = _description_of(flow, found, project.nlu)
    lines = [
        f"{flow}:",
        f"  name: {_yaml_text(_readable(flow))}",
        f"  description: {_yaml_text(described)}",
        "  steps:",
    ]
    lines += [
        f"    - action: {name}"
        for name in found.actions
        if name in project.domain.actions or name in project.domain.responses
    ]
    return Draft(flow, found.name, "\n".join(lines) + "\n", (note,))


def _description_of(flow: str, found: Candidate, nlu: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return a description, and what is left to do with it."""
    # One of each intent before a second one of any.
    rows = [nlu.get(intent, ())[:_MOST_EXAMPLES] for intent in found.intents]
    examples = [row[i] for i in range(_MOST_EXAMPLES) for row in rows if i < len(row)][:_MOST_EXAMPLES]
    said = f" Users say, for example: {'; '.join(examples)}." if examples else ""
    note = "the description is what the language model decides by: write it with care"
    return f"{_readable(flow).capitalize()}.{said}", note


def _only_parts(forms: Mapping[str, Candidate]) -> set[str]:
    """Return the forms that no intent starts and that follow others: they are parts of these forms' flows."""
    after = {form: {n for _, a in c.endings for n in a if n in forms and n != form} for form, c in forms.items()}
    followers = {name for names in after.values() for name in names}
    waiting = [form for form, found in forms.items() if found.intents or form not in followers]
    reached: set[str] = set()
    while waiting:
        form = waiting.pop()
        if form not in reached:
            reached.add(form)
            waiting += after[form]
    return {form for form in reached & followers if not forms[form].intents}


class _FlowDrafter:
    def __init__(
        self,
        project: Project,
        names: Mapping[str, str],
        methods: Mapping[str, Sequence[str]],
        classes: Collection[str],
        forms: Mapping[str, Candidate],
        found: Candidate,
    ) -> None:
        self._classes = classes
        self._domain = project.domain
        self._nlu = project.nlu
        self._names = names
        self._methods = methods
        self._forms = forms
        self._found = found
        self._notes: list[str] = []

    def draft(self) -> Draft:
        flow = self._names[self._found.form]
        described, note = _description_of(flow, self._found, self._nlu)
        self._notes.append(note)
        lines = [f"{flow}:", f"  name: {_yaml_text(_readable(flow))}", f"  description: {_yaml_text(described)}"]
        lines.append("  steps:")
        steps = list(self._steps_of_form(self._found, _Path()))
        if not steps:
            self._notes.append(
                "the form requires no slots in the domain: its class decides, so write the steps by hand"
            )
            steps = ["- noop: true", "  next: END"]
        lines += [f"    {line}" for line in steps]
        return Draft(flow, self._found.form, "\n".join(lines) + "\n", tuple(dict.fromkeys(self._notes)))

    def _steps_of_form(self, found: Candidate, path: _Path) -> Iterator[str]:
        """Ask what a form requires and was not asked on the way to it, then do what follows the form."""
        required = self._domain.forms[found.form].required_slots
        for slot in required:
            if slot not in path.slots:
                yield from self._collect(slot, found.form)
        yield from self._ending(found, path.after(found.form, required))

    def _collect(self, name: str, form: str) -> Iterator[str]:
        slot = self._domain.slots.get(name)
        yield f"- collect: {name}"
        yield f"  description: {_yaml_text(_description_of_slot(name, slot))}"
        of_form = f"utter_ask_{form}_{name}"
        own_action = f"action_ask_{form}_{name}"
        if own_action in self._domain.actions:
            self._notes.append(f"{own_action} becomes action_ask_{name}")
        elif of_form in self._domain.responses:
            yield f"  utter: {of_form}"
        elif f"utter_ask_{name}" not in self._domain.responses and f"action_ask_{name}" not in self._domain.actions:
            self._notes.append(f"nothing asks for {name}: write the response utter_ask_{name}")
        if slot is not None and _only_when_asked(slot):
            yield "  # In the form, only the answer to the question counted."
            yield "  ask_before_filling: true"
        if name in self._methods.get(form, ()):
            there_is = " (there is one, and the draft of the domain lists it)"
            draft = "; validators.py has a draft of it"
            has_class = f"validate_{name}" in self._classes
            self._notes.append(
                f"validate_{form}.validate_{name} becomes the action validate_{name}{there_is if has_class else draft}"
            )
        if slot is None:
            self._notes.append(f"the domain has no slot {name}: the draft of the domain adds it as text")

    def _ending(self, found: Candidate, path: _Path) -> Iterator[str]:
        endings = [ending for ending, _ in found.endings.most_common()]
        branches = _branches(endings)
        if branches:
            yield from self._write_branches(*branches, path)
            return
        yield from self._actions(endings[0][1] if endings else (), path)
        for _, other in endings[1:]:
            yield f"# Elsewhere the form ends with: {', '.join(other)}"
        if len(endings) > 1:
            self._notes.append("rules and stories end in several ways: branch with `next` and `if`")

    def _write_branches(
        self, by_actions: Mapping[tuple[str, ...], Sequence[str]], otherwise: tuple[str, ...], path: _Path
    ) -> Iterator[str]:
        yield from ("- noop: true", "  next:")
        for actions, conditions in by_actions.items():
            yield f"    - if: {' or '.join(conditions)}"
            yield "      then:"
            yield from (f"        {line}" for line in self._steps_of_branch(actions, path))
        if not otherwise:
            yield "    - else: END"
            return
        yield "    - else:"
        yield from (f"        {line}" for line in self._steps_of_branch(otherwise, path))

    def _steps_of_branch(self, actions: Sequence[str], path: _Path) -> Iterator[str]:
        lines = list(self._actions(actions, path)) or ["- noop: true"]
        yield from lines
        last = next(line for line in reversed(lines) if line.startswith("- "))
        if last.startswith("- link") or (last.startswith("- noop") and lines[-1] != last):
            return
        yield "  next: END"

    def _actions(self, names: Sequence[str], path: _Path) -> Iterator[str]:
        for number, name in enumerate(names, 1):
            if name not in self._forms:
                yield f"- action: {name}"
            elif number < len(names):
                # What follows it here follows.
                required = self._domain.forms[name].required_slots
                for slot in required:
                    if slot not in path.slots:
                        yield from self._collect(slot, name)
                path = path.after(name, required)
            elif name in path.forms:
                yield f"- link: {self._names[self._found.form]}"
            else:
                yield from self._steps_of_form(self._forms[name], path)


@dataclass(frozen=True)
class _Path:
    """What was asked on the way through a flow, and in which forms."""

    slots: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()

    def after(self, form: str, slots: Sequence[str]) -> _Path:
        return _Path(self.slots | set(slots), self.forms | {form})


def _branches(endings: Sequence[Ending]) -> tuple[dict[tuple[str, ...], list[str]], tuple[str, ...]] | None:
    """Return conditions by the actions they lead to, and the actions without condition; None if that is unclear."""
    if len({actions for _, actions in endings}) < 2:
        return None
    by_actions: dict[tuple[str, ...], list[str]] = {}
    otherwise: list[tuple[str, ...]] = []
    for slots, actions in endings:
        comparisons = [_comparison(name, value) for name, value in slots]
        # `and` and `or` have the same precedence in conditions.
        if None in comparisons or len(comparisons) > 1:
            return None
        if comparisons:
            by_actions.setdefault(actions, []).append(str(comparisons[0]))
        else:
            otherwise.append(actions)
    return (by_actions, otherwise[0] if otherwise else ()) if by_actions and len(set(otherwise)) < 2 else None


def _comparison(name: str, value: Any) -> str | None:
    if value is None:
        return f"slots.{name} is null"
    if isinstance(value, bool):
        return f"slots.{name} is {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"slots.{name} == {value}"
    return f"slots.{name} == '{value}'" if re.fullmatch(r"[\w .-]+", value) else None


def draft_domain(project: Project, used: Sequence[str], slots: Collection[str], classes: Collection[str]) -> str:
    """Draft the domain that the flows need: what they ask, say and run, and their slots, filled by the language model.

    ``used`` are the actions that they run, ``slots`` those that the code of these names, ``classes`` the
    names of the actions there are.
    """
    domain = project.domain
    forms = list(domain.forms.values())
    asked_for = dict.fromkeys(name for form in forms for name in form.required_slots)
    others = [name for name, slot in domain.slots.items() if name in slots or (not slot.is_default and _by_code(slot))]
    names = list({**asked_for, **dict.fromkeys(others)})
    asked = [action for name in asked_for if (action := f"action_ask_{name}") in domain.actions]
    asked += [action for name in asked_for if (action := f"validate_{name}") in classes]
    actions = [name for name in dict.fromkeys(used) if name in domain.actions and not name.startswith("utter_")]
    wanted = [f"utter_ask_{form.name}_{name}" for form in forms for name in form.required_slots]
    wanted += [f"utter_ask_{name}" for name in asked_for] + list(used)
    responses = domain.raw.get("responses", {})
    value: dict[str, Any] = {
        "version": "3.1",
        "slots": {name: _slot(domain.slots.get(name)) for name in names},
        "responses": {
            name: _response_for_flows(responses[name], domain) for name in dict.fromkeys(wanted) if name in responses
        },
        "actions": [*actions, *(a for a in asked if a not in actions)],
    }
    stream = io.StringIO()
    yaml = YAML(typ="rt")
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({key: part for key, part in value.items() if part}, stream)
    return stream.getvalue()


def _slot(slot: Slot | None) -> dict[str, Any]:
    if slot is None:
        return {"type": "text", "mappings": [{"type": "from_llm"}]}
    found: dict[str, Any] = {"type": slot.type}
    if slot.values:
        found["values"] = list(slot.values)
    for key in ("initial_value", "min_value", "max_value"):
        if getattr(slot, key) is not None:
            found[key] = getattr(slot, key)
    found["mappings"] = [{"type": "controlled" if _by_code(slot) else "from_llm"}]
    return found


def _by_code(slot: Slot) -> bool:
    return bool(slot.mappings) and all(mapping.type in CONTROLLED for mapping in slot.mappings)


def _response_for_flows(variations: Any, domain: Domain) -> Any:
    """Return a response with buttons that set slots instead of sending intents, where that is the same."""
    if not isinstance(variations, list):
        return variations
    return [
        {**v, "buttons": [_button_for_flows(b, domain) for b in v["buttons"]]}
        if isinstance(v, dict) and isinstance(v.get("buttons"), list)
        else v
        for v in variations
    ]


def _button_for_flows(button: Any, domain: Domain) -> Any:
    """Return a button that sets slots, or else sends its title: a domain of flows has no intents."""
    payload = button.get("payload") if isinstance(button, dict) else None
    if not isinstance(payload, str) or not payload.strip().startswith("/") or payload.startswith("/SetSlots"):
        return button
    match = _INTENT.fullmatch(payload.strip())
    try:
        entities = json.loads(match[1] or match[2]) if match else None
    except ValueError:
        entities = None
    by_entity = {m.entity: slot.name for slot in domain.slots.values() for m in slot.mappings if m.entity}
    plain = isinstance(entities, dict) and all(isinstance(value, (str, int, float)) for value in entities.values())
    if not plain or not entities or not entities.keys() <= by_entity.keys():
        return {**button, "payload": str(button.get("title") or payload)}
    slots = ", ".join(f"{by_entity[name]}={value}" for name, value in entities.items())
    return {**button, "payload": f"/SetSlots({slots})"}


def _only_when_asked(slot: Slot) -> bool:
    return bool(slot.mappings) and all(
        m.conditions and all("requested_slot" in c for c in m.conditions) for m in slot.mappings
    )


def _description_of_slot(name: str, slot: Slot | None) -> str:
    if slot is not None and slot.is_categorical and slot.values:
        return f"{_readable(name).capitalize()}: one of {', '.join(map(str, slot.values))}."
    return f"{_readable(name).capitalize()}."


def _readable(name: str) -> str:
    return " ".join(name.replace("-", "_").split("_")).strip() or name


def _yaml_text(text: str) -> str:
    # A JSON text is a YAML text.
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
