"""What a language model may write, and the view it is given."""

from __future__ import annotations

import json

from action_server.flows.commands.generator import DialogueView, FlowView, SlotView

VIEW = DialogueView(
    "I need to see someone urgently",
    transcript=[("user", "hello"), ("bot", "Hi!")],
    flows=[FlowView("book", "book an appointment", "Book it."), FlowView("list", "list", "List them.")],
    slots=[
        SlotView("kind", "categorical", "what kind", None, ("general", "urgent"), ("book",)),
        SlotView("wish", "text", "", None, (), ("book",)),
        SlotView("sure", "bool", "", None, (), ("book",)),
        SlotView("size", "float", "", None, (), ("book",)),
        SlotView("names", "list", "", None, (), ("book",)),
    ],
)


def saying(*commands: object) -> str:
    """Return the completion with these commands."""
    return json.dumps({"commands": commands})
