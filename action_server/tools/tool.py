"""One action as a tool: its name, what it takes and answers, and what a call of it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from action_server.idempotency.rules import Idempotent
from action_server.protocol.jsonable import JsonObject
from action_server.tools.arguments import Argument
from action_server.tools.results import output_schema
from action_server.tools.shapes import Shape, schema_of, sentence

_BLANK_LINE = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Tool:
    """A tool.

    ``sets`` are the keys of an answer by the slots that it sets, ``about`` what is known of those slots. ``patience``
    is how many seconds a call may take. ``conversation_argument`` stands for the conversation where a client sends
    none.
    """

    name: str
    action: str
    place: str
    description: str
    arguments: tuple[Argument, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    patience: float | None = None
    read_only: bool = False
    rule: Idempotent | None = None
    reads_domain: bool = False
    asks_for_conversation: bool = False
    may_ask_for_conversation: bool = False
    conversation_argument: str | None = None

    @property
    def needs_conversation(self) -> str | None:
        """Say why a call cannot do without a conversation; None if it can, as far as is known beforehand."""
        if self.asks_for_conversation:
            return "it reads the conversation's id"
        if self.rule is not None and self.rule.scope == "conversation":
            return "it runs once in a conversation"
        return None

    @property
    def input_schema(self) -> JsonObject:
        """The schema of the arguments."""
        properties = {a.name: schema_of(a.shape, a.description) for a in self.all_arguments}
        required = [a.name for a in self.arguments if a.is_required]
        schema: JsonObject = {"type": "object", "properties": properties}
        return {**schema, "required": required} if required else schema

    @property
    def output_schema(self) -> JsonObject:
        """The schema of the results."""
        return output_schema(self.sets, self.about)

    @property
    def listing(self) -> JsonObject:
        """The tool as clients get it. No key is null: there are clients that would refuse the whole list."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": self.input_schema,
            "outputSchema": self.output_schema,
            "annotations": {"readOnlyHint": self.read_only, "idempotentHint": self.read_only or self.rule is not None},
        }

    @property
    def all_arguments(self) -> tuple[Argument, ...]:
        """Return the arguments, and the one for the conversation if it is none of them and may be asked for."""
        name = self.conversation_argument
        if name is None or any(a.name == name for a in self.arguments):
            return self.arguments
        if self.needs_conversation is None and not self.may_ask_for_conversation:
            return self.arguments
        return (*self.arguments, Argument(name, "", Shape("text"), "Who this is for: always the same for one person."))


def description_of(text: str, name: str) -> str:
    """Return a description: the first paragraph of a docstring, or the name in words."""
    paragraph = _BLANK_LINE.split(text.strip())[0]
    return sentence(paragraph) or sentence(name.removeprefix("action_").replace("_", " ").capitalize())
