"""What the bot says: which variation of a response, and with which values."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from action_server.errors import ResponseError
from action_server.flows.player.trace import BotMessage
from action_server.project.conditions import render_template
from action_server.project.domain import Domain, Response, Variation

# `{name}`, but neither `{{` nor the braces of JSON.
_VARIABLE = re.compile(r"\{\{|\}\}|\{([\w.\-]+)\}")

Holds = Callable[[Any], bool]


def choose(
    response: Response, channel: str, slots: Mapping[str, Any], holds: Holds, chance: random.Random
) -> Variation:
    """Choose a variation as engines do: by channel, then by condition, then at random.

    ``holds`` evaluates a condition. Raises :class:`ResponseError` if none fits.
    """
    fitting = [v for v in response.variations if v.is_conditional and _fits(v, slots, holds)]
    defaults = [v for v in response.variations if not v.is_conditional]
    preference = [
        [v for v in fitting if v.channel and v.channel == channel],
        [v for v in defaults if v.channel and v.channel == channel],
        [v for v in fitting if not v.channel],
        [v for v in defaults if not v.channel],
    ]
    for variations in preference:
        if variations:
            return variations[0] if len(variations) == 1 else chance.choice(variations)
    raise ResponseError(f"no variation of {response.name!r} fits the slots and the channel {channel!r}")


def _fits(variation: Variation, slots: Mapping[str, Any], holds: Holds) -> bool:
    if variation.condition is not None:
        return holds(variation.condition)
    # The old form compares types too: 1 is not true.
    return all(type(slots.get(c.name)) is type(c.value) and slots.get(c.name) == c.value for c in variation.constraints)


def render(name: str, variation: Variation, values: Mapping[str, Any]) -> BotMessage:
    """Fill in the values. Raises :class:`ResponseError` if a Jinja template cannot be rendered."""
    fill = _jinja if variation.is_jinja else _braces

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return fill(value, values)
        if isinstance(value, Mapping):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [filled(item) for item in value]
        return value

    metadata = {k: v for k, v in variation.metadata.items() if k not in ("template", "rephrase_prompt")}
    return BotMessage(
        text=None if variation.text is None else str(filled(variation.text)),
        response=name,
        buttons=filled(variation.buttons),
        quick_replies=filled(variation.quick_replies),
        elements=filled(variation.elements),
        image=filled(variation.image),
        attachment=filled(variation.attachment),
        custom=filled(variation.custom),
        metadata={**metadata, **variation.extra},
        rephrased=variation.is_rephrased,
    )


def _braces(text: str, values: Mapping[str, Any]) -> str:
    def replaced(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        # A slot that is empty or does not exist is "None", as documented.
        return str(values.get(match[1]))

    return _VARIABLE.sub(replaced, text)


def _jinja(text: str, values: Mapping[str, Any]) -> str:
    try:
        return render_template(text, values)
    except Exception as exc:
        raise ResponseError(f"its Jinja template cannot be rendered: {' '.join(str(exc).split())}") from exc


def from_action(
    answer: Mapping[str, Any], action: str, domain: Domain, say: Callable[[str, Mapping[str, Any]], BotMessage | None]
) -> BotMessage | None:
    """Make a message of one response of an action server: a text of its own, or a response of the domain.

    ``say`` says a response by name with further values. Buttons are added, everything else replaces what the domain
    has.
    """
    name = answer.get("response") or answer.get("template")
    own = {k: v for k, v in answer.items() if k not in ("response", "template") and v not in (None, "", [], {})}
    base = say(name, own) if isinstance(name, str) and name else BotMessage()
    if base is None:
        return None
    known = ("text", "image", "attachment", "custom", "quick_replies", "elements")
    message = replace(base, action=action, **{k: own[k] for k in known if k in own})
    return replace(message, buttons=[*base.buttons, *own.get("buttons", [])])
