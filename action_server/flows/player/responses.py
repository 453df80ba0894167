"""What the bot says: which variation of a response, and with which values.

What engines do here was read in rasa-pro 3.21.0 (rasa/core/nlg, and RemoteAction of rasa/core/actions/action.py).
"""

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

_FILLS = {"format": fill_braces, "jinja": render_jinja}
# Of what an action sends, what is more than a note beside the message.
_SAID = ("text", "image", "attachment", "custom", "quick_replies", "elements", "buttons", "response", "template")


def choose_variation(
    response: Response, channel: str, slots: Mapping[str, Any], holds: Holds, chance: random.Random, language: str = ""
) -> Variation | None:
    """Choose a variation as engines do: by channel, by condition, by language, then at random. None if none fits.

    ``holds`` evaluates a condition. Those that are translated go before those that are not.
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
            variations = [v for v in variations if language in v.translation] or variations
            return variations[0] if len(variations) == 1 else chance.choice(variations)
    return None


def _fits(variation: Variation, slots: Mapping[str, Any], holds: Holds) -> bool:
    if variation.condition is not None:
        # An empty one is no condition, and not the lack of one.
        return bool(variation.condition.text) and holds(variation.condition)
    constraints = variation.constraints or ()
    return bool(constraints) and all(is_same_value(slots.get(c.name), c.value) for c in constraints)


def render_variation(name: str, variation: Variation, values: Mapping[str, Any], language: str = "") -> BotMessage:
    """Fill in the values, in a language.

    Raises:
        ResponseError: it cannot be done, for which the action fails.
    """
    engine = variation.metadata.get("template", "format")
    fill = _FILLS.get(engine) if isinstance(engine, str) else None
    if fill is None:
        raise ResponseError(f"its `template` is {engine!r}, not one of {', '.join(_FILLS)}")

    def filled(value: Any) -> Any:
        return fill_in(value, fill, values)

    text = variation.translation.get(language, variation.text)
    return BotMessage(
        text=None if text is None else str(filled(text)),
        response=name,
        buttons=[_translated(button, language) for button in filled(variation.buttons)],
        quick_replies=filled(variation.quick_replies),
        # These are the one part that engines leave as it is.
        elements=list(variation.elements),
        image=filled(variation.image),
        attachment=filled(variation.attachment),
        custom=filled(variation.custom),
        metadata=_kept_of(variation),
        rephrased=variation.is_rephrased,
    )


def _translated(button: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return a button in a language: of the keys that it has, and its order."""
    translation = button.get("translation")
    other = translation.get(language) if isinstance(translation, Mapping) else None
    known = other if isinstance(other, Mapping) else {}
    return {key: known.get(key, value) for key, value in button.items() if key != "translation"}


def _kept_of(variation: Variation) -> dict[str, Any]:
    """Return what engines keep of a variation in the metadata of its message: all that is not said."""
    condition: Any = variation.condition.text if variation.condition else None
    if variation.constraints is not None:
        condition = [{"type": "slot", "name": c.name, "value": c.value} for c in variation.constraints]
    kept = {"id": variation.id, "channel": variation.channel, "condition": condition, "metadata": variation.metadata}
    return {**{key: value for key, value in kept.items() if value}, **variation.extra}


def message_from_action(
    response: Mapping[str, Any], action: str, say: Callable[[str, Mapping[str, Any]], BotMessage | None]
) -> BotMessage | None:
    """Make a message of one response of an action server: a text of its own, or a response of the domain.

    ``say`` says a response by name with further values. What the domain has replaces what the action sends, its text
    even if it has none; buttons are added.
    """
    name = response.get("response") or response.get("template")
    own = {k: v for k, v in response.items() if k not in ("response", "template") and v not in (None, "", [], {})}
    base = say(name, own) if isinstance(name, str) and name else BotMessage(text=own.get("text"))
    if base is None:
        return None
    parts = ("image", "attachment", "custom", "quick_replies", "elements")
    beside = {key: value for key, value in own.items() if key not in _SAID}
    return replace(
        base,
        action=action,
        source=action,
        buttons=[*base.buttons, *own.get("buttons", [])],
        metadata={**beside, **base.metadata},
        **{key: own[key] for key in parts if key in own and not getattr(base, key)},
    )
