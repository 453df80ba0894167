"""What `rasa train` and `rasa data validate` refuse in config.yml (rasa-pro 3.21.0, read).

What they refuse of its components and their models has modules of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

from action_server.flows.check.subject import Subject
from action_server.project.flows import ActionStep
from action_server.project.settings_parts import class_name, mappings_in

GENERATORS = (
    "LLMCommandGenerator",
    "SingleStepLLMCommandGenerator",
    "MultiStepLLMCommandGenerator",
    "CompactLLMCommandGenerator",
    "SearchReadyLLMCommandGenerator",
)
ROUTERS = _INTENTS, _MODEL = "IntentBasedRouter", "LLMBasedRouter"
_ROUTE, _RESET = "route_session_to_calm", "action_reset_routing"
# Of the tags that the standard has, those that name a language, its script and its country; or one of the engine's own.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?|x-[a-z]{2,3}(-\w+)*-\w+")
_JINJA = Environment(autoescape=False)  # noqa: S701 - nothing is rendered


def check_refused_config(subject: Subject) -> None:
    """Report what the engine does not take, in a project with flows."""
    if not subject.project.flows:
        return
    if isinstance(subject.project.config.get("pipeline"), list):
        _check_languages(subject)
        _check_generators(subject)
        _check_routers(subject)
        _check_prompts(subject)
    _check_reset(subject)


def _names(subject: Subject) -> list[str]:
    return [class_name(part) for part in mappings_in(subject.project.config, "pipeline")]


def _check_languages(subject: Subject) -> None:
    config = subject.project.config
    language, more = config.get("language"), config.get("additional_languages")
    if language is None:
        subject.refuse(
            subject.in_config("language"), "config.yml names no `language`", "add `language: en`, or another one"
        )
    listed = more if isinstance(more, list) else []
    if language in listed:
        what = f"the language {language!r} is an additional one as well"
        subject.refuse(subject.in_config("additional_languages"), what, "take it out of `additional_languages`")
    for code in filter(None, [language, *listed]):
        if not isinstance(code, str) or not _LANGUAGE.fullmatch(code):
            key = "language" if code == language else "additional_languages"
            subject.refuse(
                subject.in_config(key),
                f"{code!r} is not the code of a language",
                "write `en`, `en-US` or `x-en-formal`",
            )


def _check_generators(subject: Subject) -> None:
    found = [name for name in _names(subject) if name in GENERATORS]
    if len(found) > 1:
        subject.refuse(
            subject.in_config("pipeline"),
            f"the pipeline has several command generators: {', '.join(found)}",
            "keep one",
        )


def _check_routers(subject: Subject) -> None:
    names = _names(subject)
    found = [name for name in names if name in ROUTERS]
    slot = subject.domain.slots.get(_ROUTE)
    is_there = slot is not None and not slot.is_default and slot.type == "bool"
    if len(set(found)) > 1:
        subject.refuse(subject.in_config("pipeline"), f"the pipeline has {_INTENTS} and {_MODEL}", "keep one of them")
    if found and not is_there and subject.knows_slots:
        what = f"the pipeline has {found[0]}, and the domain no bool slot {_ROUTE!r}"
        subject.refuse(subject.in_config("pipeline"), what, f"add `{_ROUTE}: {{type: bool}}` to the slots")
    if slot is not None and not slot.is_default and not found:
        what = f"the domain has the slot {_ROUTE!r}, and the pipeline no router"
        subject.refuse(subject.in_config("pipeline"), what, f"add {_INTENTS} or {_MODEL}, or take the slot away")
    first = next((names.index(name) for name in names if name in GENERATORS), None)
    if first is not None and _INTENTS in names and names.index(_INTENTS) > first:
        subject.refuse(subject.in_config("pipeline"), f"{_INTENTS} stands behind {names[first]}", "let it come first")
    for part in mappings_in(subject.project.config, "pipeline"):
        _check_router(subject, part)


def _check_router(subject: Subject, part: Mapping[str, Any]) -> None:
    name = str(part.get("name")).rpartition(".")[2]
    calm, nlu = part.get("calm_entry"), part.get("nlu_entry")
    has_nlu = isinstance(nlu, Mapping) and "sticky" in nlu and "non_sticky" in nlu
    is_nlu_wrong = not has_nlu and (name == _INTENTS or nlu is not None)
    if name in ROUTERS and (not isinstance(calm, Mapping) or "sticky" not in calm or is_nlu_wrong):
        fix = "write `calm_entry` with `sticky`, and `nlu_entry` with `sticky` and `non_sticky`"
        subject.refuse(subject.in_config("pipeline"), f"{name} does not say where messages go", fix)


def _check_reset(subject: Subject) -> None:
    slot = subject.domain.slots.get(_ROUTE)
    has_slot = slot is not None and not slot.is_default and slot.type == "bool"
    if has_slot or not subject.knows_slots or any(name in ROUTERS for name in _names(subject)):
        return
    for flow in subject.project.flows.values():
        for step in flow.steps:
            if isinstance(step, ActionStep) and step.action == _RESET:
                what = f"the step runs {_RESET}, and there is neither a router nor the slot {_ROUTE!r}"
                subject.refuse(step.at, what, "take the step away")


def _check_prompts(subject: Subject) -> None:
    for key in ("pipeline", "policies"):
        for part in mappings_in(subject.project.config, key):
            name = part.get("prompt_template")
            if not isinstance(name, str) or not name:
                continue
            try:
                _JINJA.parse((Path(subject.root) / name).read_text(encoding="utf-8"))
            except OSError:
                what = f"the prompt {name!r} of {part.get('name')} cannot be read"
                subject.refuse(subject.in_config(key), what, "write the path as it is seen from the project's folder")
            except (TemplateSyntaxError, UnicodeDecodeError) as exc:
                line = f", line {exc.lineno}" if isinstance(exc, TemplateSyntaxError) else ""
                what = f"the prompt {name!r} of {part.get('name')} is no Jinja template{line}: {exc}"
                subject.refuse(subject.in_config(key), what, "correct the template")
