"""What the bot says: which variation of a response, and with which values."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jinja2 import UndefinedError

from action_server.errors import ResponseError
from action_server.flows.player.trace import BotMessage
from action_server.project.conditions import render_template
from action_server.project.domain import Response, Variation
from action_server.project.flows import Condition

# `{name}`: anything but braces, within a line (rasa-pro 3.21.0, read; rasa 3.6.21, run).
_VARIABLE = re.compile(r"\{([^\n{}]+?)\}")

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
    return all(_is_same_value(slots.get(c.name), c.value) for c in variation.constraints)


def _is_same_value(found: Any, wanted: Any) -> bool:
    """Compare as engines do in the old form of a condition: texts in any case, 5 is 5.0 and true is 1."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    return bool(found == wanted)


def render_variation(name: str, variation: Variation, values: Mapping[str, Any]) -> BotMessage:
    """Fill in the values. Raises :class:`ResponseError` if a Jinja template cannot be rendered."""
    fill = _render_jinja if variation.is_jinja else _fill_braces

    def fill_in(value: Any) -> Any:
        if isinstance(value, str):
            return fill(value, values)
        if isinstance(value, Mapping):
            return {key: fill_in(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [fill_in(item) for item in value]
        return value

    metadata = {k: v for k, v in variation.metadata.items() if k not in ("template", "rephrase_prompt")}
    return BotMessage(
        text=None if variation.text is None else str(fill_in(variation.text)),
        response=name,
        buttons=fill_in(variation.buttons),
        quick_replies=fill_in(variation.quick_replies),
        # These are the one part that engines leave as it is.
        elements=list(variation.elements),
        image=fill_in(variation.image),
        attachment=fill_in(variation.attachment),
        custom=fill_in(variation.custom),
        metadata={**metadata, **variation.extra},
        rephrased=variation.is_rephrased,
    )


def _fill_braces(text: str, values: Mapping[str, Any]) -> str:
    """Put values into a text, as engines do with `str.format`.

    One name that is not there leaves the whole text as it is, and so do the braces of JSON and `{context.x}`. An empty
    slot is "None". Braces that are written twice stay, once.
    """
    there = {name: values[name] for name in _VARIABLE.findall(text) if name in values}
    try:
        filled = _VARIABLE.sub(r"{0[\1]}", text).format(there)
        # A name in double braces: then nothing is filled in, and with a name in single ones nothing is changed at all.
        return text.format({}) if "0[" in filled else filled
    except KeyError:
        return text
    except (ValueError, TypeError, AttributeError, IndexError) as exc:
        raise ResponseError(f"its braces cannot be filled in: {' '.join(str(exc).split())}") from exc


def _render_jinja(text: str, values: Mapping[str, Any]) -> str:
    try:
        return render_template(text, values)
    except UndefinedError:
        # As engines do: a text that looks into what is not there is said as it is written.
        return text
    except Exception as exc:
        raise ResponseError(f"its Jinja template cannot be rendered: {' '.join(str(exc).split())}") from exc


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
