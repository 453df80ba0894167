"""What the bot says: which variation of a response, and with which values."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from action_server.errors import ResponseError
from action_server.flows.player.trace import BotMessage
from action_server.project.domain import Response, Variation
from action_server.project.flows import Condition
from action_server.project.wordings import fill_braces, fill_in, is_same_value, render_jinja

Holds = Callable[[Condition], bool]


def choose_variation(
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
    return all(is_same_value(slots.get(c.name), c.value) for c in variation.constraints)


def render_variation(name: str, variation: Variation, values: Mapping[str, Any]) -> BotMessage:
    """Fill in the values. Raises :class:`ResponseError` if a Jinja template cannot be rendered."""
    fill = render_jinja if variation.is_jinja else fill_braces

    def filled(value: Any) -> Any:
        return fill_in(value, fill, values)

    metadata = {k: v for k, v in variation.metadata.items() if k not in ("template", "rephrase_prompt")}
    return BotMessage(
        text=None if variation.text is None else str(filled(variation.text)),
        response=name,
        buttons=filled(variation.buttons),
        quick_replies=filled(variation.quick_replies),
        # These are the one part that engines leave as it is.
        elements=list(variation.elements),
        image=filled(variation.image),
        attachment=filled(variation.attachment),
        custom=filled(variation.custom),
        metadata={**metadata, **variation.extra},
        rephrased=variation.is_rephrased,
    )


def message_from_action(
    response: Mapping[str, Any], action: str, say: Callable[[str, Mapping[str, Any]], BotMessage | None]
) -> BotMessage | None:
    """Make a message of one response of an action server: a text of its own, or a response of the domain.

    ``say`` says a response by name with further values. Buttons are added, everything else replaces what the domain
    has.
    """
    name = response.get("response") or response.get("template")
    own = {k: v for k, v in response.items() if k not in ("response", "template") and v not in (None, "", [], {})}
    base = say(name, own) if isinstance(name, str) and name else BotMessage()
    if base is None:
        return None
    known = ("text", "image", "attachment", "custom", "quick_replies", "elements")
    message = replace(base, action=action, **{k: own[k] for k in known if k in own})
    return replace(message, buttons=[*base.buttons, *own.get("buttons", [])])
