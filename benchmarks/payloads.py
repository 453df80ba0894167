"""Requests as engines send them, made from a seed: the same bytes in every run."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from functools import cache
from typing import Any

SEED = 20260401
# Bytes of a whole request.
SIZES = {"S": 3_000, "M": 60_000, "L": 1_000_000, "XL": 5_000_000}
_DOMAIN_BYTES = 20_000
_WORDS = (  # noqa: SIM905 - readable
    "the a my your appointment doctor clinic monday tuesday morning afternoon knee heart skin please book cancel move "
    "time insurance urgent first visit pain since last week thank you yes no maybe next free"
).split()

JsonObject = dict[str, Any]


@cache
def domain() -> JsonObject:
    """Return a domain of 20 KB."""
    chance = random.Random(SEED)  # noqa: S311
    found: JsonObject = {"version": "3.1", "intents": [], "slots": {}, "responses": {}, "actions": [], "forms": {}}
    found["forms"]["bench_form"] = {"required_slots": ["slot_1", "slot_3"]}
    number = 0
    while len(json.dumps(found)) < _DOMAIN_BYTES:
        found["slots"][f"slot_{number}"] = {"type": "text", "mappings": [{"type": "from_llm"}]}
        found["responses"][f"utter_{number}"] = [{"text": _words(chance, 12)}]
        found["actions"].append(f"action_{number}")
        number += 1
    return found


def digest(of: JsonObject) -> str:
    """Return a domain's digest as an engine writes it."""
    return hashlib.md5(json.dumps(of, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


@cache
def body(size: str, action: str) -> bytes:
    """Return a request of one of the ``SIZES``. M has its domain in it, as a classic engine's; all have a digest."""
    with_domain = size == "M"
    count, found = 2, b""
    while len(found) < SIZES[size]:
        found = json.dumps(_call(action, count, with_domain)).encode()
        count += max(1, int(count * (SIZES[size] / len(found) - 1) * 0.95))
    return found


def deflated(size: str, action: str) -> bytes:
    """Return the same, packed as engines pack it."""
    return zlib.compress(body(size, action))


def first(action: str, of: JsonObject | None = None) -> bytes:
    """Return a small request that brings a domain: what an engine sends once, after a 449."""
    call = _call(action, 2, with_domain=False)
    chosen = of or domain()
    return json.dumps({**call, "domain": chosen, "domain_digest": digest(chosen)}).encode()


def without_domain(action: str, of: JsonObject) -> bytes:
    """Return a small request with no more than a domain's digest."""
    return json.dumps({**_call(action, 2, with_domain=False), "domain_digest": digest(of)}).encode()


def _call(action: str, count: int, with_domain: bool) -> JsonObject:
    chance = random.Random(SEED)  # noqa: S311
    slots = {f"slot_{number}": _words(chance, 2) if number % 2 else None for number in range(20)}
    events = [_event(chance, number) for number in range(count)]
    if action.startswith("validate_"):
        events += [_slot(chance, number, f"slot_{number}") for number in (1, 3)]
    tracker: JsonObject = {
        "sender_id": "bench",
        "slots": slots,
        "latest_message": _parsed(chance, _words(chance, 8)),
        "latest_event_time": 1775001600.5,
        "followup_action": None,
        "paused": False,
        "stack": [{"frame_id": "A1", "flow_id": "book", "step_id": "1", "frame_type": "regular", "type": "flow"}],
        "events": events,
        "latest_input_channel": "rest",
        "active_loop": {},
        "latest_action": {"action_name": "action_listen"},
        "latest_action_name": "action_listen",
        "inactive": False,
        "terminated": False,
        "user_id": None,
    }
    call: JsonObject = {"next_action": action, "sender_id": "bench", "tracker": tracker, "version": "3.21.0"}
    if with_domain:
        call["domain"] = domain()
    return {**call, "domain_digest": digest(domain())}


def _event(chance: random.Random, number: int) -> JsonObject:
    metadata = {"model_id": f"{chance.getrandbits(128):032x}", "assistant_id": "clinic"}
    common: JsonObject = {"timestamp": 1775001600 + number + chance.random(), "metadata": metadata}
    kind = number % 4
    if kind == 0:
        text = _words(chance, 8)
        parsed = _parsed(chance, text)
        return {"event": "user", **common, "text": text, "parse_data": parsed, "message_id": parsed["message_id"]}
    if kind == 1:
        return _slot(chance, number, f"slot_{number % 20}")
    if kind == 2:
        return {"event": "action", **common, "name": "utter_ask", "policy": "FlowPolicy", "confidence": 1.0}
    data = dict.fromkeys(("elements", "quick_replies", "buttons", "attachment", "image", "custom"))
    return {"event": "bot", **common, "text": _words(chance, 12), "data": data}


def _slot(chance: random.Random, number: int, name: str) -> JsonObject:
    return {"event": "slot", "timestamp": 1775001600.0 + number, "name": name, "value": _words(chance, 2)}


def _parsed(chance: random.Random, text: str) -> JsonObject:
    return {
        "intent": {"name": "inform", "confidence": chance.random()},
        "entities": [{"entity": "day", "value": "monday", "start": 3, "end": 9, "extractor": "DIETClassifier"}],
        "text": text,
        "message_id": f"{chance.getrandbits(128):032x}",
        "metadata": {},
        "text_tokens": [[at, at + 4] for at in range(0, 40, 5)],
        "intent_ranking": [{"name": f"intent_{n}", "confidence": chance.random()} for n in range(5)],
    }


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))
