"""A JSON schema of endpoints.yml, for editors: its ``action_server:`` block is made from the settings' model."""

from __future__ import annotations

from typing import Any

from action_server.config.settings import Settings

_VARIABLE = {"type": "string", "pattern": r"\$\{\w+\}", "description": "a variable of the environment"}
# What pydantic shows is what it makes of a value; what it takes is more, where a validator stands in front.
_SECRET: dict[str, Any] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SecretFile"}]}
_SLOT = {"anyOf": [{"type": "string"}, {"type": "object"}]}
_SHORT_POLICIES: list[dict[str, Any]] = [
    {"enum": ["error", "say", "slot", "reject"]},
    {"type": "object", "required": ["say"], "additionalProperties": False, "properties": {"say": {"type": "string"}}},
    {"type": "object", "required": ["slot"], "additionalProperties": False, "properties": {"slot": _SLOT}},
]


def endpoints_schema() -> dict[str, Any]:
    """Return the schema. Rasa's own blocks may hold anything."""
    model = Settings.model_json_schema()
    definitions = model.pop("$defs")
    properties = model["properties"]
    # The file does not name itself.
    del properties["endpoints"]
    properties["actions"] = {
        "anyOf": [properties["actions"], {**properties.pop("action_options"), "description": "options of actions"}],
        "description": "package or module of your actions; or options of single actions, by name or pattern",
    }
    definitions["FailurePolicy"] = {"anyOf": [*_SHORT_POLICIES, definitions["FailurePolicy"]]}
    # A rule, a list of slots, true, or false: idempotency/rules.py reads them.
    definitions["ActionOptions"]["properties"]["idempotent"] = {
        "description": "see `action-server help run-actions-once`"
    }
    definitions.pop("Idempotent", None)
    block = {
        "type": "object",
        "additionalProperties": False,
        "description": "settings of the action server; see `action-server help settings`",
        "properties": {name: _or_variable(_takes_one(found)) for name, found in sorted(properties.items())},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "endpoints.yml of an assistant whose action server is action-server",
        "type": "object",
        "properties": {"action_server": {"anyOf": [block, {"type": "null"}]}},
        "$defs": {name: _widen(found) for name, found in sorted(definitions.items())},
    }


def _or_variable(found: dict[str, Any]) -> dict[str, Any]:
    described = {key: found[key] for key in ("description",) if key in found}
    return {**described, "anyOf": [found, _VARIABLE]}


def _widen(found: dict[str, Any]) -> dict[str, Any]:
    """Let each field of an object take one value where it takes a list, and a variable in the place of any."""
    properties = found.get("properties")
    if properties is None:
        return found
    return {**found, "properties": {name: _or_variable(_takes_one(field)) for name, field in properties.items()}}


def _takes_one(found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list, or of one item alone; lists of secrets stand for one in maps as well."""
    if found.get("type") == "array":
        return {key: found[key] for key in ("description", "default") if key in found} | {
            "anyOf": [found, found["items"]]
        }
    inner = found.get("additionalProperties")
    if isinstance(inner, dict) and inner.get("type") == "array":
        return {**found, "additionalProperties": {"anyOf": [inner, _SECRET]}}
    return found
