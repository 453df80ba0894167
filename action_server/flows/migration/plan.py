"""The plan of a migration: candidates, drafts and code together, as text, as JSON and as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.flows.check.checking import Report, Request, check
from action_server.flows.migration.candidates import Candidate, find_candidates
from action_server.flows.migration.code import ActionVerdict, judge_actions, slots_named, validated_slots
from action_server.flows.migration.conversations import Traffic, read_traffic
from action_server.flows.migration.drafts import Draft, draft_domain, draft_flows, runs_actions
from action_server.flows.migration.rehearsal import rehearse
from action_server.flows.migration.settings_and_code import draft_config, draft_validators
from action_server.flows.migration.stories import DraftedTest, as_file, draft_tests
from action_server.source import shorten


@dataclass(frozen=True)
class Plan:
    """What to migrate first, drafts to begin with, and what becomes of the code.

    ``validators`` is code, empty if there is nothing to write.
    """

    candidates: tuple[Candidate, ...]
    drafts: tuple[Draft, ...]
    tests: tuple[DraftedTest, ...]
    domain: str
    config: str
    validators: str
    actions: tuple[ActionVerdict, ...]
    traffic: Traffic | None
    report: Report

    @property
    def flows(self) -> str:
        """Return the drafts as one file of flows; empty if there are no forms."""
        return _as_flows(self.drafts) if self.drafts else ""

    @property
    def files(self) -> dict[str, str]:
        """Return the drafts as the files of a small project, by their names."""
        found = {"domain.yml": self.domain, "data/flows.yml": self.flows, "config.yml": self.config}
        if self.tests:
            found["tests/e2e_drafts.yml"] = as_file([*self.tests])
        if self.validators:
            found["validators.py"] = self.validators
        return found

    def write(self, folder: Path) -> None:
        """Write the drafts as a small project.

        Raises:
            SettingsError: one of them exists already, or cannot be written.
        """
        files = {folder / name: text for name, text in self.files.items()}
        if not self.drafts:
            raise SettingsError("--drafts", "there are no forms, nor intents that lead to actions, to draft flows of")
        for path in files:
            if path.exists():
                raise SettingsError("--drafts", f"{shorten(str(path))} exists already; name an empty folder")
        try:
            for path, text in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        except OSError as exc:
            raise SettingsError("--drafts", f"cannot be written: {exc.strerror}") from None

    def as_text(self) -> str:
        """Return the plan for people."""
        return "\n".join([*self._candidates_text(), "", *self._actions_text(), "", *self._drafts_text()])

    def as_json(self) -> dict[str, Any]:
        """Return the plan as a value for JSON."""
        return {
            "counted_by": "conversations" if self.traffic else "stories, rules and examples",
            "conversations": self.traffic.conversations if self.traffic else None,
            "unread_lines": self.traffic.unread if self.traffic else None,
            "candidates": [
                {
                    "name": c.name,
                    "form": c.form or None,
                    "intents": list(c.intents),
                    "actions": list(c.actions),
                    "stories": c.stories,
                    "rules": c.rules,
                    "examples": c.examples,
                    "seen": c.seen,
                }
                for c in self.candidates
            ],
            "actions": [vars(action) for action in self.actions],
            "drafts": [
                {"flow": d.flow, "form": d.form, "fault": d.fault or None, "notes": list(d.notes)} for d in self.drafts
            ],
            "tests": [{"name": t.name, "fault": t.fault or None, "left_out": list(t.left_out)} for t in self.tests],
            "flows": self.flows,
            "domain": self.domain if self.drafts else "",
            "files": self.files if self.drafts else {},
        }

    def _candidates_text(self) -> Iterator[str]:
        by = "stories and rules, then training examples"
        if self.traffic:
            by = f"{self.traffic.conversations} conversations with {self.traffic.events} events"
            if self.traffic.unread:
                by += f" ({self.traffic.unread} lines could not be read)"
        yield f"What to migrate first, by {by}"
        for number, candidate in enumerate(self.candidates, 1):
            yield f"{number:4}. {candidate.name}: {_counts(candidate)}"
            if candidate.intents:
                yield f"      starts with {', '.join(candidate.intents)}"
            if candidate.actions:
                yield f"      runs {', '.join(candidate.actions)}"
        if not self.candidates:
            yield "      no forms, rules or stories were found"

    def _actions_text(self) -> Iterator[str]:
        yield "What becomes of the actions"
        for action in self.actions:
            why = f": {action.why}" if action.why else ""
            yield f"      {action.verdict:10} {action.name} ({action.place}){why}"
        if not self.actions:
            yield "      no actions were found; name the package with --actions"

    def _drafts_text(self) -> Iterator[str]:
        if not self.drafts:
            return
        yield "Drafts of flows (--drafts DIR writes them into files)"
        for draft in self.drafts:
            end = f"does not play to its end: {draft.fault}" if draft.fault else "plays to its end"
            yield f"      {draft.flow}, from {draft.form}: {end}"
            yield from (f"        - {note}" for note in draft.notes)
        for test in self.tests:
            yield f"      the story {test.name!r}, as a test: {test.fault or 'passes'}"
        for name in (
            "data/flows.yml",
            "domain.yml",
            *(n for n in self.files if n not in ("data/flows.yml", "domain.yml")),
        ):
            yield from ("", f"# {name}", self.files[name])


def plan(request: Request, conversations: Path | None = None) -> Plan:
    """Plan the migration of a project. ``conversations`` is a file of real ones, to count by them.

    Raises:
        SettingsError: the project or the file is not there, or there is nothing in it to count.
    """
    report = check(request)
    traffic = read_traffic(conversations) if conversations is not None else None
    candidates = find_candidates(report.project, report.sources, traffic)
    methods = validated_slots(report.project, report.code)
    drafts = draft_flows(report.project, candidates, methods, report.code.names)
    used = [name for c in candidates if c.form for _, ending in c.endings for name in ending]
    used += [name for c in candidates if runs_actions(c) for name in c.actions]
    domain = draft_domain(report.project, used, slots_named(report.code, used), report.code.names)
    faults = rehearse(_as_flows(drafts), domain) if drafts else {}
    config = draft_config(report.project)
    files = {"domain.yml": domain, "data/flows.yml": _as_flows(drafts), "config.yml": config}
    started = {c.form or c.name: d.flow for d in drafts for c in candidates if (c.form or c.name) == d.form}
    by_intent = {
        intent: started[c.form or c.name] for c in candidates if (c.form or c.name) in started for intent in c.intents
    }
    return Plan(
        tuple(candidates),
        tuple(replace(draft, fault=faults.get(draft.flow, "")) for draft in drafts),
        tuple(draft_tests(report.project, report.sources, {**started, **by_intent}, used, files)) if drafts else (),
        domain,
        config,
        draft_validators(methods, report.code) if drafts else "",
        tuple(judge_actions(report.project, report.code)),
        traffic,
        report,
    )


def _as_flows(drafts: Sequence[Draft]) -> str:
    return "flows:\n" + "\n".join(_indent(draft) for draft in drafts)


def _indent(draft: Draft) -> str:
    faults = [f"it does not play to its end: {draft.fault}"] if draft.fault else []
    notes = "".join(f"  # To do: {note}.\n" for note in (*faults, *draft.notes))
    return notes + "".join(f"  {line}\n" for line in draft.text.splitlines())


def _counts(candidate: Candidate) -> str:
    seen = [] if candidate.seen is None else [f"{candidate.seen} times in conversations"]
    counts = ((candidate.rules, "rule", "rules"), (candidate.stories, "story", "stories"))
    said = [f"{n} {one if n == 1 else many}" for n, one, many in (*counts, (candidate.examples, "example", "examples"))]
    kind = "form" if candidate.form else "intent"
    return f"{kind}, {', '.join([*seen, *said])}"
