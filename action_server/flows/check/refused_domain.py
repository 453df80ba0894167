"""What `rasa train` and `rasa data validate` refuse in a domain, beyond what cannot be read (rasa-pro 3.21.0, read)."""

from __future__ import annotations

import re
from typing import Any

from action_server.flows.check.refused_conditions import refuse_response
from action_server.flows.check.subject import Subject
from action_server.project.domain import CONTROLLED, Response, Slot, Variation

_NLU_MAPPINGS = ("from_entity", "from_text", "from_intent", "from_trigger_intent")
_NOTHING_IN_BRACES = re.compile(r"\{\s*\}")
_ASSIGNED = re.compile(r"([^(),=]+)=(?:\[[^\]]*\]|[^(),]+)")
_MOST_SLOTS = 10
_LANGUAGE = "language"


def check_refused_domain(subject: Subject) -> None:
    """Report what the engine does not take."""
    for slot in subject.domain.slots.values():
        if not slot.is_default:
            if "." in slot.type:
                subject.report_name(slot.type, slot.at, f"the slot {slot.name!r} has the type", is_class=True)
            _check_bounds(subject, slot)
            _check_validation(subject, slot)
            if slot.name == _LANGUAGE and subject.project.flows:
                subject.refuse(slot.at, f"the slot {_LANGUAGE!r} is the engine's own", "give it another name")
            if subject.project.flows:
                _check_mappings(subject, slot)
    for response in subject.domain.responses.values():
        if not response.is_default:
            for variation in response.variations:
                _check_variation(subject, response, variation)
    _check_rephraser(subject)


def _check_rephraser(subject: Subject) -> None:
    """Report the first text that is to be rephrased where endpoints.yml, if there is one, has nobody who does it."""
    nlg = subject.project.endpoints.get("nlg")
    kind = str(nlg.get("type") or "") if isinstance(nlg, dict) else ""
    if not subject.project.endpoints_file or kind.lower() == "rephrase" or "." in kind:
        return
    own = (response for response in subject.domain.responses.values() if not response.is_default)
    first = next((v for response in own for v in response.variations if v.metadata.get("rephrase") is True), None)
    if first is not None:
        what = "a response has `rephrase: true`, and endpoints.yml no `nlg` of the type rephrase"
        subject.refuse(first.at, what, "add `nlg: {type: rephrase}` with its model, or take `rephrase` away")


def _check_bounds(subject: Subject, slot: Slot) -> None:
    low, high = slot.min_value, slot.max_value
    if slot.type != "float" or low is None or high is None:
        return
    if low >= high:
        subject.refuse(slot.at, f"the slot {slot.name!r} has a `min_value` that is not below its `max_value`", "swap")
    elif slot.initial_value is not None and not _is_within(slot.initial_value, low, high):
        subject.refuse(slot.at, f"the slot {slot.name!r} starts with a value out of its bounds", "widen them")


def _is_within(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and low <= value <= high


def _check_validation(subject: Subject, slot: Slot) -> None:
    """Report a validation with nothing to ask again with; what is named and not there is a finding already."""
    if slot.validation is None or slot.validation.refill_utter or not subject.knows_responses:
        return
    asks = f"utter_ask_{slot.name}"
    if asks not in subject.domain.responses:
        what = f"the slot {slot.name!r} has a validation, and no response {asks!r} to ask again with"
        subject.refuse(slot.validation.at, what, "write it, or name another one as `refill_utter`")


def _check_mappings(subject: Subject, slot: Slot) -> None:
    uses_nlu = any(mapping.type in _NLU_MAPPINGS for mapping in slot.mappings)
    for mapping in slot.mappings:
        action = mapping.run_action_every_turn
        if action and mapping.type not in CONTROLLED:
            what = f"a mapping of {slot.name!r} runs {action!r} every turn and is no `controlled` one"
            subject.refuse(mapping.at, what, "make its type `controlled`")
        if action and not subject.is_listed(action) and subject.knows_actions:
            what = f"a mapping of {slot.name!r} runs {action!r}, which the domain does not list"
            subject.refuse(mapping.at, what, f"add `- {action}` to `actions`")
        if mapping.coexistence_system and mapping.type not in CONTROLLED:
            what = f"a mapping of {slot.name!r} has a `coexistence_system` and is no `controlled` one"
            subject.refuse(mapping.at, what, "make its type `controlled`")
        if mapping.coexistence_system not in ("", "SHARED") and slot.shared_for_coexistence:
            what = f"{slot.name!r} is `shared_for_coexistence`, and a mapping is {mapping.coexistence_system}'s"
            subject.refuse(mapping.at, what, "make its `coexistence_system` SHARED")
        if mapping.allow_nlu_correction and (mapping.type != "from_llm" or not uses_nlu):
            what = f"`allow_nlu_correction` of {slot.name!r} stands without a `from_llm` and an NLU mapping beside it"
            subject.refuse(mapping.at, what, "take it away, or have both mappings")
    systems = {mapping.coexistence_system for mapping in slot.mappings if mapping.coexistence_system}
    if len(systems) > 1:
        subject.refuse(slot.at, f"the mappings of {slot.name!r} belong to several systems", "choose one")
    if uses_nlu and not _has_adapter(subject.project.config):
        subject.refuse(
            slot.at,
            f"the slot {slot.name!r} is filled by NLU, and the pipeline has no NLUCommandAdapter",
            "add it to `pipeline` of config.yml, or fill the slot `from_llm`",
        )


def _has_adapter(config: Any) -> bool:
    pipeline = config.get("pipeline")
    if not isinstance(pipeline, list):
        # There is no config, or one of another engine.
        return True
    return any(isinstance(part, dict) and part.get("name") == "NLUCommandAdapter" for part in pipeline)


def _check_variation(subject: Subject, response: Response, variation: Variation) -> None:
    parts = (
        variation.text,
        variation.image,
        variation.custom,
        variation.buttons,
        variation.attachment,
        variation.quick_replies,
    )
    if any(_holds_empty_braces(part) for part in parts):
        what = f"a variation of {response.name!r} has braces with nothing in them"
        subject.refuse(variation.at, what, "write the slot's name into them, or take them away")
    if variation.condition is not None:
        refuse_response(subject, variation.condition)
    for button in variation.buttons:
        _check_button(subject, response, variation, str(button.get("payload") or ""))


def _check_button(subject: Subject, response: Response, variation: Variation, payload: str) -> None:
    if not payload.startswith("/SetSlots"):
        return
    names = [name.strip() for name in _ASSIGNED.findall(payload)]
    if payload.count("=") > _MOST_SLOTS:
        what = f"a button of {response.name!r} sets more than {_MOST_SLOTS} slots"
        subject.refuse(variation.at, what, "engines set none of them: let an action do it")
    for name in sorted({name for name in names if names.count(name) > 1}):
        subject.refuse(variation.at, f"a button of {response.name!r} sets {name!r} twice", "set it once")


def _holds_empty_braces(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_NOTHING_IN_BRACES.search(value))
    if isinstance(value, dict):
        return any(map(_holds_empty_braces, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_empty_braces, value))
