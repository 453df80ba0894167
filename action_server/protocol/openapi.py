"""The webhook as an OpenAPI 3.1 document: what engines send, what they take, and what else the server answers."""

from __future__ import annotations

from typing import Any

from action_server.protocol.events import OPEN_SOURCE_EVENTS, PRO_EVENTS

JsonSchema = dict[str, Any]

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_OBJECT_OR_NULL = {"type": ["object", "null"]}
_OBJECTS_OR_NULL = {"type": ["array", "null"], "items": {"type": "object"}}


def openapi(version: str) -> dict[str, Any]:
    """Return the document. ``version`` is the server's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rasa action server webhook",
            "version": version,
            "description": "How a dialogue engine calls custom actions. Engines use the address as it is configured.",
        },
        "paths": {
            "/webhook": {"post": _webhook()},
            "/health": {"get": _page("The server is there; waits for nothing.", {"200": _json(_status())})},
            "/ready": {
                "get": _page(
                    "Whether calls should come here.", {"200": _json(_status()), "503": _json(_status()), **_refusals()}
                )
            },
            "/actions": {"get": _page("The actions there are.", {"200": _json(_names()), **_refusals()})},
        },
        "components": {
            "schemas": {"Call": _call(), "Tracker": _tracker(), "Reply": _reply(), "Event": _event(), "Error": _error()}
        },
    }


def _webhook() -> dict[str, Any]:
    errors = {
        "400": "The request is malformed, or the action declines to run.",
        "401": "No valid credential came with it.",
        "404": "Nobody registered the action.",
        "408": "The body did not arrive in time.",
        "413": "The body is too large.",
        "415": "The Content-Encoding is not deflate, gzip or none.",
        "449": "The engine shall send the domain as well.",
        "500": "The action failed; error_id finds the details in the log.",
        "503": "Too many calls run and wait, or it cannot be known whether this one is a repeat.",
        "504": "The action took too long.",
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref("Call")}}}
    return {
        "operationId": "runAction",
        "summary": "Run an action.",
        "requestBody": body,
        "responses": {
            "200": {"description": "What the action did.", **_content(_ref("Reply"))},
            **{status: {"description": text, **_content(_ref("Error"))} for status, text in errors.items()},
        },
    }


def _call() -> JsonSchema:
    return {
        "type": "object",
        "required": ["next_action", "tracker"],
        "properties": {
            "next_action": {**_TEXT, "minLength": 1, "description": "the action's name"},
            "sender_id": {**_TEXT_OR_NULL, "description": "the conversation; the tracker's counts first"},
            "tracker": _ref("Tracker"),
            "domain": {**_OBJECT_OR_NULL, "description": "classic engines send it always, CALM after a 449"},
            "domain_digest": {**_TEXT_OR_NULL, "description": "MD5 of the domain, in hexadecimal; CALM only"},
            "version": {**_TEXT_OR_NULL, "description": "the engine's version; decides which events it takes"},
        },
    }


def _tracker() -> JsonSchema:
    return {
        "type": "object",
        "required": ["sender_id"],
        "properties": {
            "sender_id": {**_TEXT, "minLength": 1},
            "slots": {**_OBJECT_OR_NULL, "description": "all slots of the domain"},
            "latest_message": {
                **_OBJECT_OR_NULL,
                "properties": {"text": _TEXT_OR_NULL, "intent": {}, "entities": _OBJECTS_OR_NULL},
            },
            "latest_event_time": {"type": ["number", "null"]},
            "events": {"type": ["array", "null"], "items": _sent_event()},
            "followup_action": _TEXT_OR_NULL,
            "paused": {"type": ["boolean", "null"]},
            "active_loop": _OBJECT_OR_NULL,
            "latest_action_name": _TEXT_OR_NULL,
            "stack": {**_OBJECTS_OR_NULL, "description": "frames of flows and patterns; CALM only"},
        },
    }


def _sent_event() -> JsonSchema:
    slot = {"required": ["name", "value"], "properties": {"name": _TEXT}}
    return {
        "type": "object",
        "required": ["event"],
        "properties": {"event": _TEXT},
        "if": {"properties": {"event": {"const": "slot"}}},
        "then": slot,
    }


def _reply() -> JsonSchema:
    return {
        "type": "object",
        "required": ["events", "responses"],
        "properties": {
            "events": {"type": "array", "items": _ref("Event")},
            "responses": {"type": "array", "items": {"type": "object"}},
        },
    }


def _event() -> JsonSchema:
    only_pro = sorted(PRO_EVENTS - OPEN_SOURCE_EVENTS)
    names: JsonSchema = {"anyOf": [{"enum": sorted(PRO_EVENTS)}, {"type": "string", "pattern": "^skill_"}]}
    return {
        "type": "object",
        "required": ["event"],
        "description": f"Rasa Open Source takes none of {', '.join(only_pro)}, nor those of skills.",
        "properties": {
            "event": names,
            "timestamp": {"type": ["number", "null"]},
            "metadata": _OBJECT_OR_NULL,
        },
        "if": {"properties": {"event": {"const": "slot"}}},
        "then": {"required": ["name", "value"], "properties": {"name": _TEXT}},
    }


def _error() -> JsonSchema:
    return {
        "type": "object",
        "required": ["error", "action_name"],
        "properties": {
            "error": {**_TEXT, "description": "a sentence; it repeats nothing of the request"},
            "action_name": {**_TEXT, "description": "the action that was asked for, empty if it is not known"},
            "error_id": {**_TEXT, "description": "finds the details in the server's log"},
        },
    }


def _status() -> JsonSchema:
    return {"type": "object", "required": ["status"], "properties": {"status": _TEXT}}


def _names() -> JsonSchema:
    return {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}}


def _refusals() -> dict[str, Any]:
    return {"401": {"description": "No valid credential came with it.", **_content(_ref("Error"))}}


def _page(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": responses}


def _json(schema: JsonSchema) -> dict[str, Any]:
    return {"description": "As it says.", **_content(schema)}


def _content(schema: JsonSchema) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{name}"}
