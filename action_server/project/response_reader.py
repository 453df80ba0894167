"""Reads one response of a domain.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action_server.project.domain import Response, SlotConstraint, Variation
from action_server.project.fields import Fields, kind_of
from action_server.project.places import Problems
from action_server.project.step_reader import condition_of
from action_server.project.yaml_node import Node
from action_server.source import Place

_KNOWN = (
    "id",
    "text",
    "condition",
    "channel",
    "buttons",
    "quick_replies",
    "elements",
    "image",
    "attachment",
    "custom",
    "metadata",
    "translation",
    "allow_interruptions",
    "button_type",
)


def read_response(name: str, node: Node, at: Place, problems: Problems) -> Response:
    """Read a response with all of its variations."""
    variations: list[Variation] = []
    if not node.is_list or not node.value:
        found = "an empty list" if node.is_list else kind_of(node)
        problems.at(at, f"the response {name!r} has to be a list of variations, not {found}")
    for element in node.elements():
        if element.is_scalar and element.value is not None:
            # Until Rasa 2 a variation could be its text alone.
            problems.at(element.place, f"a variation of {name!r} has to be a mapping (`- text: ...`)")
            variations.append(Variation(at=element.place, text=element.raw))
        else:
            variations.append(_read_variation(name, element, problems))
    return Response(name=name, at=at, variations=tuple(variations))


def _read_variation(name: str, node: Node, problems: Problems) -> Variation:
    fields = Fields(node, f"a variation of {name!r}", problems)
    condition = fields.take("condition")
    constraints: tuple[SlotConstraint, ...] | None = None
    if condition is not None and condition.is_list:
        constraints = tuple(_read_constraint(element, name, problems) for element in condition.elements())
    variation = Variation(
        at=node.place,
        id=fields.text("id"),
        text=fields.text("text") if fields.has("text") else None,
        condition=None if condition is None or condition.is_list else condition_of(condition, problems),
        constraints=constraints,
        channel=fields.text("channel"),
        buttons=_read_mappings(fields, "buttons"),
        quick_replies=_read_mappings(fields, "quick_replies"),
        elements=_read_mappings(fields, "elements"),
        image=fields.text("image"),
        attachment=fields.plain("attachment"),
        custom=fields.plain("custom"),
        translation=_read_translation(fields),
        metadata=fields.mapping("metadata"),
        extra={key: value.plain() for key, value in node.items() if key not in _KNOWN},
    )
    _check_types(fields)
    fields.note_unknown_keys()
    text = node.get("text")
    if (text is None or text.value is None) and not variation.custom:
        problems.at(node.place, f"{fields.what} has neither `text` nor `custom`")
    return variation


def _check_types(fields: Fields) -> None:
    """Check what is held as it is written, or is of voice channels and not played."""
    fields.check_flag("allow_interruptions")
    fields.check_text("button_type")
    fields.check("custom", "a mapping", dict)
    fields.check("attachment", "a mapping", dict)


def _read_translation(fields: Fields) -> dict[str, str]:
    node = fields.take("translation")
    fields.check("translation", "a mapping of languages to texts", dict)
    if node is None or not node.is_mapping:
        return {}
    texts = Fields(node, f"the translation of {fields.what}", fields.problems)
    return {language: texts.text(language) for language in node.keys}


def _read_mappings(fields: Fields, key: str) -> tuple[Mapping[str, Any], ...]:
    found = []
    for node in fields.elements(key):
        if node.is_mapping:
            found.append(node.plain())
            button = Fields(node, f"one of {key!r} of {fields.what}", fields.problems)
            for text in ("title", "payload") if key != "elements" else ():
                button.check_text(text)
            button.check("translation", "a mapping of languages to titles and payloads", dict)
        else:
            fields.problem(node.place, f"{key!r} of {fields.what} lists mappings, not {kind_of(node)}")
    return tuple(found)


def _read_constraint(node: Node, name: str, problems: Problems) -> SlotConstraint:
    fields = Fields(node, f"a condition of {name!r}", problems)
    if fields.text("type") != "slot":
        problems.at(node.place, f"{fields.what} is not of the type slot")
    if node.is_mapping and not (fields.has("name") and fields.has("value")):
        problems.at(node.place, f"{fields.what} needs `name` and `value`")
    constraint = SlotConstraint(name=fields.text("name"), value=fields.plain("value"), at=node.place)
    fields.note_unknown_keys("warning")
    return constraint
