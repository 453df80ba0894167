"""What is checked: a project, its files and its code, and what is known of each for certain.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from action_server.findings.finding import Findings
from action_server.findings.rule import Severity
from action_server.flows.check import catalogue
from action_server.flows.check.code import Code
from action_server.flows.check.known_tools import KnownTools
from action_server.project.domain import Domain, Slot
from action_server.project.engine_names import DEFAULT_INTENTS, DEFAULT_SLOTS, UTTER, is_default_action
from action_server.project.fields import did_you_mean
from action_server.project.flows import ActionStep
from action_server.project.project import Project
from action_server.project.python.importables import problem_of_name
from action_server.project.sources import Sources
from action_server.project.yaml_files import yaml_files
from action_server.source import Place
from action_server.yaml_file import read_text


@dataclass(frozen=True)
class Subject:
    """The project, what stands in its files, its code, and where findings go.

    A name counts as missing only where everything that could define it was read.
    """

    project: Project
    sources: Sources
    code: Code
    findings: Findings
    root: Path
    tools: KnownTools = field(default_factory=KnownTools)

    @property
    def domain(self) -> Domain:
        """Return the domain."""
        return self.project.domain

    @cached_property
    def is_whole(self) -> bool:
        """Tell whether all files were read: what is missing then is missing."""
        return not self.sources.unread and not self._has_importers

    @cached_property
    def _has_importers(self) -> bool:
        importers = self.project.config.get("importers")
        entries = importers if isinstance(importers, list) else []
        return any(not (isinstance(e, Mapping) and e.get("name") == "RasaFileImporter") for e in entries)

    def _is_read(self, section: str, shape: str) -> bool:
        if self._has_importers or self.sources.lacks_domain or not self.project.domain_files:
            return False
        nodes = self.sources.sections(section)
        return all(node.is_mapping if shape == "mapping" else node.is_list for node in nodes)

    @cached_property
    def knows_slots(self) -> bool:
        """Tell whether all slots are known."""
        return self._is_read("slots", "mapping")

    @cached_property
    def knows_responses(self) -> bool:
        """Tell whether all responses are known: none comes from a server of responses."""
        nlg = self.project.endpoints.get("nlg")
        is_elsewhere = isinstance(nlg, Mapping) and (
            "url" in nlg or nlg.get("type") not in (None, "rephrase", "response")
        )
        return self._is_read("responses", "mapping") and not is_elsewhere and not self.sources.lacks_data

    @cached_property
    def knows_actions(self) -> bool:
        """Tell whether all listed actions are known."""
        return self._is_read("actions", "list") and self._is_read("forms", "mapping")

    @cached_property
    def knows_forms(self) -> bool:
        """Tell whether all forms are known."""
        return self._is_read("forms", "mapping")

    @cached_property
    def knows_intents(self) -> bool:
        """Tell whether all intents are known; engines take those of training data from the domain only."""
        return self._is_read("intents", "list")

    @cached_property
    def knows_entities(self) -> bool:
        """Tell whether all entities are known."""
        return self._is_read("entities", "list")

    @cached_property
    def knows_flows(self) -> bool:
        """Tell whether all flows are known."""
        are_read = not self.sources.lacks_data and not self._has_importers
        return are_read and all(node.is_mapping for node in self.sources.sections("flows"))

    @cached_property
    def actions_of_steps(self) -> frozenset[str]:
        """Return the names of the actions that steps of flows and patterns run."""
        steps = (step for flow in self.project.all_flows.values() for step in flow.steps)
        return frozenset(step.action for step in steps if isinstance(step, ActionStep))

    @cached_property
    def collected_slots(self) -> frozenset[str]:
        """Return the names of the slots that flows and patterns ask for."""
        return frozenset(step.collect for flow in self.project.all_flows.values() for step in flow.collects)

    @cached_property
    def error_lines(self) -> dict[str, list[int]]:
        """Return the lines of each file that could not be read, in order."""
        return _lines(Place(p.file, p.line) for p in self.project.problems if p.severity == "error")

    @cached_property
    def flow_lines(self) -> dict[str, list[int]]:
        """Return the lines of each file at which a flow begins, in order."""
        return _lines(flow.at for flow in self.project.flows.values())

    @cached_property
    def sub_agents(self) -> frozenset[str]:
        """Return the words in the files of sub agents, which a `call` may name."""
        words: set[str] = set()
        for path in yaml_files(self.root / "sub_agents"):
            words |= {path.parent.name, path.stem}
            with contextlib.suppress(OSError):
                words |= set(read_text(path, errors="replace").split())
        return frozenset(words)

    def slot(self, name: str) -> Slot | None:
        """Return a slot of the domain."""
        return self.domain.slots.get(name)

    def lacks_slot(self, name: str) -> bool:
        """Tell for certain that neither domain nor engine have a slot."""
        return self.knows_slots and name not in self.domain.slots and name not in DEFAULT_SLOTS

    def lacks_response(self, name: str) -> bool:
        """Tell for certain that there is no response, nor several of the kind `utter_faq/...`."""
        known = self.domain.responses
        return (
            self.knows_responses
            and name not in known
            # Engines look for a response of that name, also where `actions` lists it.
            and (name not in self.domain.actions or (name.startswith(UTTER) and name not in self.code.names))
            and not any(k.startswith(f"{name}/") for k in known)
        )

    def lacks_intent(self, name: str) -> bool:
        """Tell for certain that the domain has no intent; of `faq/prices` it has `faq`."""
        base = name.partition("/")[0]
        # An assistant of flows may understand intents without listing any.
        lists_them = bool(self.domain.intents) or not self.project.flows
        return self.knows_intents and lists_them and base not in self.domain.intents and base not in DEFAULT_INTENTS

    def lacks_flow(self, name: str) -> bool:
        """Tell for certain that there is no flow."""
        known = self.project.all_flows
        return (
            self.knows_flows and name not in known and not name.startswith("pattern_") and name not in self.sub_agents
        )

    def is_listed(self, action: str) -> bool:
        """Tell whether engines know an action: from the domain, as a response, or as their own."""
        return self.domain.lists(action) or action in self.domain.responses or is_default_action(action)

    def report_slot(self, name: str, at: Place, what: str) -> None:
        """Report a slot, if the domain lacks it."""
        if self.lacks_slot(name):
            hint = did_you_mean(name, [k for k, s in self.domain.slots.items() if not s.is_default])
            self.findings.add(
                catalogue.UNKNOWN_SLOT,
                at,
                f"{what} {name!r}, which is no slot of the domain{hint}",
                "add it to `slots`, or correct the name",
            )

    def report_response(self, name: str, at: Place, what: str, *, in_pattern: bool = False) -> None:
        """Report a response, if there is none.

        Engines bring along more of them from version to version: in an overridden pattern (``in_pattern``) only a name
        close to one of the project's is surely wrong.
        """
        if self.lacks_response(name):
            hint = did_you_mean(name, [k for k, r in self.domain.responses.items() if not r.is_default])
            if in_pattern and not hint:
                return
            self.findings.add(
                catalogue.UNKNOWN_RESPONSE,
                at,
                f"{what} {name!r}, which is no response{hint}",
                "add it to `responses`, or correct the name",
            )

    def report_intent(self, name: str, at: Place, what: str, *, is_predicted: bool = False) -> None:
        """Report an intent, if the domain lacks it.

        What only understands intents takes those of training data as well; policies (``is_predicted``) do not.
        """
        if self.lacks_intent(name) and (is_predicted or name not in self.project.nlu):
            hint = did_you_mean(name, self.domain.intents)
            self.findings.add(
                catalogue.UNKNOWN_INTENT,
                at,
                f"{what} {name!r}, which is no intent of the domain{hint}",
                "add it to `intents`, or correct the name",
            )

    def refuse(self, at: Place, what: str, fix: str) -> None:
        """Report what an engine does not take."""
        self.findings.add(catalogue.ENGINE_REFUSES, at, what, fix)

    def in_config(self, key: str) -> Place:
        """Return the place of a key of config.yml."""
        return Place(file=self.project.config_file, key=key)

    def report_name(self, name: str, at: Place, what: str, *, is_class: bool = False) -> None:
        """Report what an engine imports by its name, if it is not there: a warning where its package is not here."""
        problem = problem_of_name(self.root, name, is_class=is_class)
        if problem is None:
            return
        message, fix = f"{what} {name!r}, which cannot be imported: {problem.text}", "correct the name"
        if problem.may_be_elsewhere:
            message = f"{message}; that of the engine may have it"
            fix = "correct the name, or install the package here as well, so that it is found"
        severity: Severity | None = "warning" if problem.may_be_elsewhere else None
        self.findings.add(catalogue.ENGINE_REFUSES, at, message, fix, severity)

    def report_flow(self, name: str, at: Place, what: str, severity: Severity | None = None) -> None:
        """Report a flow, if there is none."""
        if self.lacks_flow(name):
            hint = did_you_mean(name, self.project.all_flows)
            self.findings.add(
                catalogue.UNKNOWN_FLOW,
                at,
                f"{what} {name!r}, which is no flow{hint}",
                "write the flow, or correct the name",
                severity,
            )

    def report_entity(self, name: str, at: Place, what: str, severity: Severity | None = None) -> None:
        """Report an entity, if the domain lacks it."""
        if self.knows_entities and name not in self.domain.entities:
            hint = did_you_mean(name, self.domain.entities)
            self.findings.add(
                catalogue.UNKNOWN_ENTITY,
                at,
                f"{what} {name!r}, which is no entity of the domain{hint}",
                "add it to `entities`, or correct the name",
                severity,
            )

    def report_form(self, name: str, at: Place, what: str) -> None:
        """Report a form, if the domain lacks it. Other loops than forms are listed as actions, or are the engine's."""
        if self.knows_forms and not self.domain.lists(name) and not is_default_action(name):
            hint = did_you_mean(name, self.domain.forms)
            self.findings.add(
                catalogue.UNKNOWN_FORM,
                at,
                f"{what} {name!r}, which is no form of the domain{hint}",
                "add it to `forms`, or correct the name",
            )

    def report_value(self, name: str, value: object, at: Place, what: str, *, exact: bool = False) -> None:
        """Report a value that a categorical slot cannot have. Engines compare values as texts.

        ``exact`` is for places where engines do not adapt upper and lower case.
        """
        slot = self.slot(name)
        if (
            slot is None
            or not slot.is_categorical
            or not slot.values
            or value is None
            or isinstance(value, (list, dict))
        ):
            return
        if isinstance(value, str) and "{" in value:
            # Made by Jinja.
            return
        known = [str(v) for v in (*slot.values, slot.initial_value) if v is not None]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if _is_one_of(text, known, exact=exact and text not in self.strings_of_code) or text == "__other__":
            return
        close = difflib.get_close_matches(text.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.7)
        hint = "".join(f"; did you mean {k!r}?" for k in known if close and k.lower() == close[0])
        self.findings.add(
            catalogue.IMPOSSIBLE_VALUE,
            at,
            f"{what} {name!r} {value!r}, which is not one of its values{hint}",
            f"take one of {', '.join(known)}, or add it to `values`",
        )

    @cached_property
    def strings_of_code(self) -> frozenset[str]:
        """Return all texts that stand in the code, but for the names of its actions."""
        return frozenset(text for module in self.code.facts.modules for text in module.strings)


def _lines(places: Iterable[Place]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place in places:
        found.setdefault(place.file, []).append(place.line)
    return {file: sorted(lines) for file, lines in found.items()}


def _is_one_of(text: str, known: list[str], *, exact: bool) -> bool:
    if not exact:
        text, known = text.lower(), [k.lower() for k in known]
    return text in known or any(_number(text) is not None and _number(text) == _number(k) for k in known)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
