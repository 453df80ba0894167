"""Reads the files of a domain and merges them.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from action_server.project.domain import (
    LANGUAGE,
    Domain,
    Form,
    ListedAction,
    Response,
    SessionConfig,
    Slot,
    SlotMapping,
)
from action_server.project.fields import Fields, did_you_mean, kind_of
from action_server.project.places import Problems, Severity
from action_server.project.response_reader import read_response
from action_server.project.slot_reader import read_slot
from action_server.project.yaml_node import Node
from action_server.source import Place

DOMAIN_KEYS = (
    "version",
    "intents",
    "entities",
    "slots",
    "responses",
    "actions",
    "forms",
    "session_config",
    "e2e_actions",
    "config",
)
# Keys that only a domain has; `responses` also stands in training data.
TELLING_KEYS = ("slots", "actions", "forms", "session_config", "intents", "entities", "responses")
# What engines read of an entry's options.
_OPTIONS = {
    "entities": ("roles", "groups", "influence_conversation"),
    "intents": ("use_entities", "ignore_entities", "triggers", "is_retrieval_intent"),
    "actions": ("send_domain",),
}
_SINGULAR = {"entities": "entity", "intents": "intent", "actions": "action"}

_VERSION = "3.1"

T = TypeVar("T")


class DomainReader:
    """Merges domain files in the order in which they are added: of two entries with one name, the first one counts."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._slots: dict[str, Slot] = {}
        self._responses: dict[str, Response] = {}
        self._actions: dict[str, ListedAction] = {}
        self._forms: dict[str, Form] = {}
        self._intents: dict[str, Place] = {}
        self._entities: dict[str, Place] = {}
        self._session: SessionConfig | None = None
        self._raw: dict[str, Any] = {"version": "3.1"}
        # Names that stand twice in the lists of one file, and the versions of the files.
        self._repeated: list[tuple[str, str, Place, Place]] = []
        self._versions: list[Node | None] = []

    def add(self, node: Node, *, is_default: bool = False) -> None:
        """Add a domain file. ``is_default`` marks the engine's own part, which the project's overrides silently."""
        if not node.is_mapping:
            self._problems.at(node.place, f"a domain has to be a mapping, not {kind_of(node)}")
            return
        version = node.get("version")
        if not is_default:
            self._versions.append(version)
        if version is not None and not isinstance(version.value, str | None):
            self._problems.at(version.place, "'version' has to be a text: write it in quotes")
        for key in node.keys:
            if key not in DOMAIN_KEYS:
                self._problems.at(
                    node.keys[key], f"a domain has no key {key!r}{did_you_mean(key, DOMAIN_KEYS)}", "warning"
                )
        self._read_mapping(
            node, "slots", self._slots, lambda n, v, at: read_slot(n, v, at, self._problems), is_default, "error"
        )
        self._read_responses(node, is_default, severity="error")
        self._read_mapping(node, "forms", self._forms, self._read_form, is_default)
        self._read_list(node, "intents", self._intents, lambda name, at: at)
        self._read_list(node, "entities", self._entities, lambda name, at: at)
        # The option `send_domain` is the engine's own: it stays in the domain that actions get.
        self._read_list(node, "actions", self._actions, lambda name, at: ListedAction(name=name, at=at))
        self._read_session_config(node)
        for key in ("e2e_actions", "config"):
            found = node.get(key)
            if found is not None:
                self._raw.setdefault(key, found.plain())

    def add_responses(self, node: Node, *, is_default: bool = False) -> None:
        """Add the `responses:` of a file of training data."""
        self._read_responses(node, is_default, severity="warning")

    def _read_responses(self, node: Node, is_default: bool, severity: Severity) -> None:
        self._read_mapping(
            node,
            "responses",
            self._responses,
            lambda n, v, at: read_response(n, v, at, self._problems),
            is_default,
            severity,
        )

    def add_language(self, language: Any, additional: Any) -> None:
        """Add the slot in which the engine keeps the language, unless the project has one of its name."""
        codes = [code for code in (additional if isinstance(additional, list) else []) if isinstance(code, str)]
        first = language if isinstance(language, str) else None
        if LANGUAGE not in self._slots and (codes or first):
            values = (*codes, *((first,) if first and first not in codes else ()))
            self._slots[LANGUAGE] = Slot(
                name=LANGUAGE,
                type="strict_categorical",
                at=Place(file=""),
                initial_value=first,
                values=values,
                mappings=(SlotMapping(type="controlled", at=Place(file="")),),
                is_default=True,
            )

    def build(self) -> Domain:
        """Return the domain of all files."""
        # One file is taken as it is; as soon as there are two, engines merge lists, and each name is left once.
        is_merged = len(self._versions) > 1
        for key, name, at, first in self._repeated:
            self._note_duplicate(key, name, at, first, "warning" if is_merged else "error")
        version = None if is_merged or not self._versions else self._versions[0]
        if version is not None and _is_newer(version.raw):
            self._problems.at(version.place, f"the domain is of the version {version.raw!r}; engines know {_VERSION}")
        return Domain(
            slots=self._slots,
            responses=self._responses,
            actions=self._actions,
            forms=self._forms,
            intents=self._intents,
            entities=self._entities,
            session=self._session or SessionConfig(),
            raw=self._raw,
        )

    def _read_mapping(
        self,
        node: Node,
        key: str,
        into: dict[str, T],
        read: Callable[[str, Node, Place], T],
        is_default: bool,
        severity: Severity = "warning",
    ) -> None:
        """Read a mapping of names. ``severity`` is how bad it is that a name stands in two files."""
        section = node.get(key)
        if section is None or section.value is None:
            return
        if not section.is_mapping:
            self._problems.at(section.place, f"{key!r} of a domain has to be a mapping, not {kind_of(section)}")
            return
        for name, value in section.items():
            at = section.keys[name]
            if name in into:
                if not is_default:
                    self._note_duplicate(key, name, at, _place_of(into[name]), severity)
                continue
            found = read(name, value, at)
            into[name] = found.model_copy(update={"is_default": is_default}) if is_default else found  # type: ignore[attr-defined]
            self._raw.setdefault(key, {})[name] = value.plain() if value.value is not None else {}

    def _read_list(self, node: Node, key: str, into: dict[str, T], read: Callable[[str, Place], T]) -> None:
        section = node.get(key)
        if section is None or section.value is None:
            return
        if not section.is_list:
            self._problems.at(section.place, f"{key!r} of a domain has to be a list, not {kind_of(section)}")
            return
        for element in section.elements():
            name = _entry_name(element)
            if element.is_scalar and not isinstance(element.value, str) and name:
                self._problems.at(element.place, f"{key!r} of a domain lists names: write {name} in quotes")
            if not name:
                self._problems.at(element.place, f"{key!r} of a domain lists names, not {kind_of(element)}")
            elif name not in into:
                into[name] = read(name, element.place)
                self._raw.setdefault(key, []).append(element.plain() if element.is_mapping else name)
            elif _place_of(into[name]).file == element.place.file:
                self._repeated.append((key, name, element.place, _place_of(into[name])))
            self._check_options(key, element)

    def _read_form(self, name: str, node: Node, at: Place) -> Form:
        if node.value is None:
            return Form(name=name, at=at)
        fields = Fields(node, f"the form {name!r}", self._problems)
        required = fields.take("required_slots")
        # Until Rasa 3 it was a mapping of slots to their mappings.
        has_mappings = required is not None and required.is_mapping
        names = tuple(required.keys) if required is not None and has_mappings else fields.texts("required_slots")
        if required is None:
            # And until 2.6 that mapping was the form itself.
            names = tuple(key for key, value in node.items() if value.is_list and key != "ignored_intents")
            has_mappings = bool(names)
            for key in names:
                fields.skip(key)
        ignored = fields.texts("ignored_intents")
        if fields.has("ignored_intents") and required is None and not has_mappings:
            self._problems.at(fields.place_of("ignored_intents"), f"{fields.what} has no `required_slots` beside it")
        form = Form(name=name, at=at, required_slots=names, has_mappings=has_mappings, ignored_intents=ignored)
        fields.note_unknown_keys()
        return form

    def _read_session_config(self, node: Node) -> None:
        found = node.get("session_config")
        if found is None:
            return
        fields = Fields(found, "session_config", self._problems)
        minutes = fields.number("session_expiration_time")
        if minutes is not None and minutes < 0:
            self._problems.at(fields.place_of("session_expiration_time"), "'session_expiration_time' is below 0")
        config = SessionConfig(
            session_expiration_time=60 if minutes is None else minutes,
            carry_over_slots_to_new_session=fields.flag("carry_over_slots_to_new_session", True),
        )
        fields.check_flag("start_session_after_expiry")
        fields.note_unknown_keys("warning")
        if self._session is not None and self._session not in (config, SessionConfig()):
            what = "the domain has two different session_config; the first one counts"
            self._problems.at(found.place, what, "warning")
            return
        self._session = config
        self._raw["session_config"] = config.model_dump()

    def _check_options(self, key: str, element: Node) -> None:
        known = _OPTIONS.get(key, ())
        for name, options in element.items() if known else ():
            what = f"the {_SINGULAR[key]} {name!r}"
            if options.value is None or (options.value == {} and key != "actions"):
                self._problems.at(options.place, f"{what} has nothing behind its colon: write `- {name}`")
            if key == "actions" and options.is_scalar and options.raw:
                self._problems.at(options.place, f"an action is listed as `- {options.raw}`")
            for option, at in options.keys.items():
                if option not in known:
                    # Of actions engines know no other.
                    severity: Severity = "error" if key == "actions" else "warning"
                    self._problems.at(at, f"{what} has no key {option!r}{did_you_mean(option, known)}", severity)
            if "triggers" in options.keys:
                self._problems.at(
                    options.keys["triggers"], f"{what} `triggers` an action, as until Rasa 2: write a rule"
                )

    def _note_duplicate(self, key: str, name: str, at: Place, first: Place, severity: Severity = "warning") -> None:
        what = _SINGULAR.get(key, key[:-1])
        counts = "that one counts"
        if key in ("slots", "responses") and first.file != at.file:
            # The first was read, the other run.
            counts = "rasa-pro 3.21 loads neither, Rasa 3.6 takes the one in the file that its folder lists first"
        self._problems.at(at, f"{what} {name!r} also stands at {first}; {counts}", severity)


def _entry_name(element: Node) -> str:
    """Return the name of `- name`, `- name: {...}` and `- action: name`, which one page documents; empty for others."""
    if element.is_scalar:
        return element.raw
    for name, options in element.items():
        return options.raw if name == "action" and options.is_scalar and options.raw else name
    return ""


def _is_newer(version: str) -> bool:
    parts = version.strip("\"'").split(".")
    known = tuple(map(int, _VERSION.split(".")))
    return all(part.isdigit() for part in parts) and tuple(map(int, parts)) > known


def _place_of(entry: Any) -> Place:
    place: Place = entry if isinstance(entry, Place) else entry.at
    return place


def looks_like_a_domain(keys: Mapping[str, Any]) -> bool:
    """Tell a domain file by its keys."""
    return any(key in keys for key in TELLING_KEYS)
