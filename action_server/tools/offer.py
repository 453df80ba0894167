"""Chooses which actions are offered as tools, and makes the tools."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rasa_sdk.interfaces import Action
from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase

from action_server.errors import RegistrationError, SettingsError
from action_server.nearest import did_you_mean
from action_server.protocol.jsonable import JsonObject
from action_server.runtime.docstrings import read_docstring
from action_server.runtime.options import OptionsTable
from action_server.runtime.registry import RegisteredAction, Registry
from action_server.runtime.tool_options import McpSettings, ToolOptions, mark_of
from action_server.tools.arguments import Argument
from action_server.tools.authors import Property, properties_of
from action_server.tools.code import CodeFacts, origin_of, read_code
from action_server.tools.domain import DomainSlot, read_domain, slots_of
from action_server.tools.models import Model, models_of, schema_of_model, slots_set_by
from action_server.tools.names import answer_key, argument_name, tool_name, twice
from action_server.tools.shapes import Shape
from action_server.tools.tool import Tool, description_of

logger = logging.getLogger(__name__)

# Clients stop at 40, 80 or 128, and models choose worse long before.
MANY_TOOLS = 40
# A turn is what these are about, and no tool's call has one.
_OF_A_TURN = ("validate_", "action_ask_")
_START_OF_A_SESSION = "action_session_start"
_NO_AUTHORS = ("rasa_sdk", "action_server", "abc", "typing")


@dataclass(frozen=True)
class Offer:
    """The tools that are offered, by name, and the domain they were made with."""

    tools: Mapping[str, Tool]
    domain: JsonObject

    def listing(self) -> list[JsonObject]:
        """Return the tools as clients get them, by name."""
        return [tool.listing for tool in self.tools.values()]


def make_offer(
    registry: Registry, settings: McpSettings, options: OptionsTable, domain: JsonObject | None = None
) -> Offer:
    """Make the tools of all actions that are offered.

    Raises:
        SettingsError: an action that is named is not there or can be no tool, or two tools share a name.
        RegistrationError: an author's schema says what cannot be said to every client.
    """
    known = domain or {}
    slots = slots_of(known)
    _refuse_wrong_names(registry, settings)
    chosen = [a for a in registry if can_be_a_tool(a) and (settings.offers(a.name) or mark_of(a.run) is not None)]
    tools = [make_tool(a, settings, options, slots) for a in sorted(chosen, key=lambda a: a.name)]
    double = twice(tool.name for tool in tools)
    if double is not None:
        both = " and ".join(repr(tool.action) for tool in tools if tool.name == double)
        raise SettingsError("mcp", f"the actions {both} would both be the tool {double!r}; give one another `name`")
    if len(tools) > MANY_TOOLS:
        problem = f"clients stop at {MANY_TOOLS}, 80 or 128 tools, and models choose worse the more there are"
        logger.warning("mcp.many_tools", extra={"tools": len(tools), "problem": problem})
    return Offer({tool.name: tool for tool in sorted(tools, key=lambda t: t.name)}, known)


def read_offer(registry: Registry, settings: McpSettings, options: OptionsTable, domain: Path | None) -> Offer:
    """Make the tools with the domain of this file or folder. Raises as :func:`make_offer` does."""
    return make_offer(registry, settings, options, None if domain is None else read_domain(domain, "domain"))


def can_be_a_tool(action: RegisteredAction) -> bool:
    """Tell an action that does something for somebody from one that only makes sense in a turn of a conversation."""
    if action.name.startswith(_OF_A_TURN) or action.name == _START_OF_A_SESSION:
        return False
    owner = getattr(action.run, "__self__", None)
    # rasa-sdk's forms and validators, under whatever name.
    is_form = owner is not None and any(c.__name__ in ("ValidationAction", "FormAction") for c in type(owner).__mro__)
    return not is_form and not isinstance(owner, ActionQueryKnowledgeBase)


def _refuse_wrong_names(registry: Registry, settings: McpSettings) -> None:
    """Refuse a plain name of an action that is not there, or that is never offered; a pattern may fit nothing."""
    names = {action.name: action for action in registry}
    for where, given in (("mcp.actions", settings.actions), ("mcp.tools", settings.tools)):
        for name in given:
            if any(character in name for character in "*?["):
                continue
            if name not in names:
                raise SettingsError(where, f"there is no action {name!r}{did_you_mean(name, names)}")
            if not can_be_a_tool(names[name]):
                raise SettingsError(where, f"{name!r} is about a turn of a conversation, so it can be no tool")


def make_tool(
    action: RegisteredAction, settings: McpSettings, table: OptionsTable, slots: Mapping[str, DomainSlot]
) -> Tool:
    """Make the tool of one action, whether it is offered or not.

    Raises:
        SettingsError: two of its arguments or slots share a name.
        RegistrationError: the author's schema says what cannot be said to every client.
    """
    chosen = settings.options_of(action.name, mark_of(action.run))
    options = table.of(action.name, action.run)
    name = chosen.name or tool_name(action.name)
    facts = read_code(action.run)
    arguments = _arguments(action, name, chosen, facts, slots)
    sets = _sets(action, name, chosen, facts)
    return Tool(
        name=name,
        action=action.name,
        place=action.place,
        description=chosen.description or description_of(_docstring(action), action.name),
        arguments=tuple(arguments),
        sets=sets,
        about={slot: slots[slot].description for slot in sets if slot in slots and slots[slot].description},
        patience=min(
            seconds for seconds in (chosen.timeout or settings.timeout, options.timeout) if seconds is not None
        ),
        read_only=bool(chosen.read_only),
        rule=options.idempotent or None,
        reads_domain=action.reads_domain,
        asks_for_conversation=facts.asks_for_conversation,
        may_ask_for_conversation=facts.may_ask_for_conversation,
        conversation_argument=chosen.conversation_argument and argument_name(chosen.conversation_argument),
    )


def _docstring(action: RegisteredAction) -> str:
    origin = origin_of(action.run)[0]
    if not isinstance(origin, type):
        return read_docstring(origin.__doc__).summary
    # Of the class, or of an action that it is a kind of: what helper bases say is about them.
    kinds = [origin, *(c for c in origin.__mro__[1:] if _is_of_an_author(c))]
    said = next((c.__doc__ for c in kinds if vars(c).get("__doc__")), None)
    return read_docstring(said).summary


def _is_of_an_author(kind: type) -> bool:
    module = kind.__module__.partition(".")[0]
    return issubclass(kind, Action) and not inspect.isabstract(kind) and module not in _NO_AUTHORS


def _arguments(
    action: RegisteredAction, tool: str, chosen: ToolOptions, facts: CodeFacts, slots: Mapping[str, DomainSlot]
) -> list[Argument]:
    declared = chosen.arguments or models_of(action.run)[0]
    arguments: list[Argument] = []
    if declared is not None:
        schema = declared if isinstance(declared, dict) else schema_of_model(declared, tool, action.place)
        arguments += [_declared(p, slots) for p in properties_of(schema, tool, action.place)]
    if not chosen.arguments:
        typed, known = _typed_fields(facts), {a.slot for a in arguments}
        # What a typed function asks its tracker for, it reads as well.
        names = [n for n in (facts.reads if chosen.reads is None else chosen.reads) if n not in known]
        arguments += [_argument(name, typed.get(name), slots.get(name)) for name in names]
    double = twice(a.name for a in arguments)
    if double is not None:
        both = " and ".join(repr(a.slot) for a in arguments if a.name == double)
        raise SettingsError("mcp", f"the slots {both} of the tool {tool!r} would both be the argument {double!r}")
    return arguments


def _declared(found: Property, slots: Mapping[str, DomainSlot]) -> Argument:
    slot = slots.get(found.name)
    description = found.description or (slot.description if slot is not None else "")
    # What the author left open the domain may know.
    shape = slot.shape if slot is not None and found.shape == Shape() else found.shape
    return Argument(argument_name(found.name), found.name, shape, description, found.is_required)


def _argument(name: str, typed: Property | None, slot: DomainSlot | None) -> Argument:
    if typed is not None:
        return _declared(replace(typed, is_required=False), {} if slot is None else {name: slot})
    if slot is None:
        return Argument(argument_name(name), name, Shape())
    return Argument(argument_name(name), name, slot.shape, slot.description)


def _typed_fields(facts: CodeFacts) -> dict[str, Property]:
    """Return the fields of `Slots` classes that say what they are, by the slot's name."""
    found: dict[str, Property] = {}
    for cls in facts.slot_classes:
        for prop in _properties_of_slots(cls):
            found.setdefault(prop.name, prop)
    return found


def _properties_of_slots(cls: Model) -> list[Property]:
    # Nobody wrote these for a tool: what cannot be said is left open, and the action checks its slots itself.
    try:
        schema = schema_of_model(cls, "", "")
    except RegistrationError:
        return []
    found: list[Property] = []
    for name, part in schema.get("properties", {}).items():
        with suppress(RegistrationError):
            found += properties_of({**schema, "properties": {name: part}}, "", "")
    return found


def _sets(action: RegisteredAction, tool: str, chosen: ToolOptions, facts: CodeFacts) -> dict[str, str]:
    result = models_of(action.run)[1]
    names: list[str] = list(facts.sets if chosen.sets is None else chosen.sets)
    if result is not None and chosen.sets is None:
        names += slots_set_by(result)
    sets = {name: answer_key(name) for name in dict.fromkeys(names)}
    double = twice(sets.values())
    if double is not None:
        raise SettingsError("mcp", f"two slots of the tool {tool!r} would both be {double!r} in its answers")
    return sets


def encode_listing(offer: Offer) -> bytes:
    """Return the tools as JSON, the same bytes from start to start."""
    return json.dumps(offer.listing(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
