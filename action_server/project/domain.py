"""The domain: slots, responses, actions, forms, the session's settings.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from action_server.project.flows import Condition, Rejection
from action_server.project.places import Frozen
from action_server.source import Place

# Slots that every engine has, with the value they start with.
BUILT_IN_SLOTS: Mapping[str, Any] = {
    "flow_hashes": None,
    "session_started_metadata": None,
    "mocked_datetime": None,
}
# The language of a conversation, a slot that the engine makes of config.yml.
LANGUAGE = "language"
SLOT_TYPES = ("text", "bool", "float", "list", "categorical", "strict_categorical", "any")
# `custom` is the old name of `controlled`.
MAPPING_TYPES = ("from_llm", "controlled", "custom", "from_entity", "from_text", "from_intent", "from_trigger_intent")
CONTROLLED = ("controlled", "custom")


class SlotMapping(Frozen):
    """One way to fill a slot."""

    type: str
    at: Place
    entity: str = ""
    role: str = ""
    group: str = ""
    intents: tuple[str, ...] = ()
    not_intents: tuple[str, ...] = ()
    value: Any = None
    # `run_action_every_turn`, or `action`, its old name.
    run_action_every_turn: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()
    # About NLU beside a language model, and about two engines side by side: neither is played.
    allow_nlu_correction: bool = False
    coexistence_system: str = ""

    @property
    def active_flows(self) -> tuple[str, ...]:
        """Return the flows of which one has to be active; none means any."""
        return tuple(str(c["active_flow"]) for c in self.conditions if "active_flow" in c)


class SlotValidation(Frozen):
    """What a slot may never hold, whoever fills it."""

    rejections: tuple[Rejection, ...]
    refill_utter: str
    at: Place


class Slot(Frozen):
    """A slot. ``mappings`` is complete: without any, it is `from_llm`.

    ``min_value`` and ``max_value`` are the bounds of a float, None where the domain gives none.
    """

    name: str
    type: str
    at: Place
    initial_value: Any = None
    values: tuple[Any, ...] = ()
    min_value: float | None = None
    max_value: float | None = None
    mappings: tuple[SlotMapping, ...] = ()
    shared_for_coexistence: bool = False
    validation: SlotValidation | None = None
    is_default: bool = False

    @property
    def is_categorical(self) -> bool:
        """Tell a slot that has only certain values."""
        return self.type in ("categorical", "strict_categorical")

    @property
    def is_controlled(self) -> bool:
        """Tell a slot that a user's words never fill: actions, buttons and set_slots steps do."""
        return bool(self.mappings) and all(m.type in CONTROLLED for m in self.mappings)

    @property
    def every_turn_actions(self) -> tuple[str, ...]:
        """Return the actions that fill it with each message."""
        return tuple(m.run_action_every_turn for m in self.mappings if m.run_action_every_turn)


class SlotConstraint(Frozen):
    """The old form of a response's condition: a slot has exactly this value."""

    name: str
    value: Any
    at: Place


class Variation(Frozen):
    """One way to say a response. ``extra`` holds what is left: keys of a channel's own.

    ``constraints`` are its condition in the old form, None if it has none; a list without any is never met.
    """

    at: Place
    id: str = ""
    text: str | None = None
    condition: Condition | None = None
    constraints: tuple[SlotConstraint, ...] | None = None
    channel: str = ""
    buttons: tuple[Mapping[str, Any], ...] = ()
    quick_replies: tuple[Mapping[str, Any], ...] = ()
    elements: tuple[Mapping[str, Any], ...] = ()
    image: str = ""
    attachment: Any = None
    custom: Any = None
    # Its text in other languages; those of buttons stand in them.
    translation: Mapping[str, str] = {}
    metadata: Mapping[str, Any] = {}
    extra: Mapping[str, Any] = {}

    @property
    def is_conditional(self) -> bool:
        """Tell whether it is only for some states of the slots."""
        return self.condition is not None or self.constraints is not None

    @property
    def is_jinja(self) -> bool:
        """Tell whether its texts are Jinja templates."""
        return self.metadata.get("template") == "jinja"

    @property
    def is_rephrased(self) -> bool:
        """Tell whether a language model would rephrase it."""
        return bool(self.metadata.get("rephrase"))


class Response(Frozen):
    """What the bot says under a name, in all its variations."""

    name: str
    at: Place
    variations: tuple[Variation, ...]
    is_default: bool = False


class ListedAction(Frozen):
    """An action the domain lists."""

    name: str
    at: Place


class Form(Frozen):
    """A form of the classic engine. ``has_mappings``: it maps its slots itself, as forms did until Rasa 3."""

    name: str
    at: Place
    required_slots: tuple[str, ...] = ()
    has_mappings: bool = False
    ignored_intents: tuple[str, ...] = ()


class SessionConfig(Frozen):
    """How sessions end; minutes, 0 for never."""

    session_expiration_time: float = 60
    carry_over_slots_to_new_session: bool = True


class Domain(Frozen):
    """A domain, merged from all of its files.

    ``raw`` is it as JSON, as an engine sends it to actions.
    """

    slots: Mapping[str, Slot] = {}
    responses: Mapping[str, Response] = {}
    actions: Mapping[str, ListedAction] = {}
    forms: Mapping[str, Form] = {}
    intents: Mapping[str, Place] = {}
    entities: Mapping[str, Place] = {}
    session: SessionConfig = SessionConfig()
    raw: Mapping[str, Any] = {}

    @property
    def own_slots(self) -> dict[str, Slot]:
        """Return the slots that the author wrote, by name: without those of every assistant."""
        return {n: slot for n, slot in self.slots.items() if not (slot.is_default or n in BUILT_IN_SLOTS)}

    def lists(self, action: str) -> bool:
        """Tell whether an action is listed, as an action of its own or as a form."""
        return action in self.actions or action in self.forms

    @cached_property
    def every_turn_actions(self) -> tuple[str, ...]:
        """Return the actions of `run_action_every_turn`, each once, in the order of the slots."""
        return tuple(dict.fromkeys(a for slot in self.slots.values() for a in slot.every_turn_actions))

    @cached_property
    def digest(self) -> str:
        """Return the digest by which action servers recognise it."""
        return domain_digest(self.raw)


def domain_digest(domain: Mapping[str, Any]) -> str:
    """Return a domain's digest: MD5 in hexadecimal, by which action servers recognise it."""
    text = json.dumps(domain, sort_keys=True, default=str)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
