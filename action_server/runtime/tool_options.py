"""What is set for actions that are offered as tools: which they are, and what cannot be seen in their code.

Options of single tools come from the code (``@mcp``), and over it from ``action_server: mcp: tools:`` of endpoints.yml,
where a name may be a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

T = TypeVar("T")
_MARK = "__mcp_options__"
_MODEL = ConfigDict(
    frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, arbitrary_types_allowed=True
)
# Clients put the server's name before it (`mcp__clinic__`), and stop at 64.
LONGEST_TOOL_NAME = 48
_TOOL_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST_TOOL_NAME - 1}}}")

# With a handshake, and without.
Protocol = Literal["2025-11-25", "2026-07-28"]


def _several(value: object) -> object:
    return value.split() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]


class ToolOptions(BaseModel):
    """The options of one tool; what is None is not set here.

    Attributes:
        name: what clients call it, where the action's own name will not do.
        description: in place of the class's docstring.
        reads: the slots it reads, in place of those that are seen in its code.
        sets: the slots it sets, in place of those that are seen in its code.
        arguments: a pydantic model, or a JSON schema of an object: its properties are the slots it reads.
        timeout: seconds a call may take, in place of that of all tools.
        read_only: whether it changes nothing.
        conversation_argument: the argument that stands for the conversation where a client sends none.
    """

    model_config = _MODEL

    name: str | None = None
    description: str | None = None
    reads: Words | None = None
    sets: Words | None = None
    arguments: Any = None
    timeout: float | None = Field(default=None, gt=0, le=86_400)
    read_only: bool | None = None
    conversation_argument: str | None = None

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _TOOL_NAME.fullmatch(value):
            raise ValueError(
                f"has letters, digits, _ and - only, {LONGEST_TOOL_NAME} at most, since clients put the server's name "
                "before it, and begins with a letter or a digit"
            )
        return value

    @field_validator("arguments")
    @classmethod
    def _is_a_schema(cls, value: object) -> object:
        is_model = isinstance(value, type) and issubclass(value, BaseModel)
        if value is None or is_model or isinstance(value, dict):
            return value
        raise ValueError("must be a pydantic model or a JSON schema")

    def over(self, base: ToolOptions) -> ToolOptions:
        """Return these options, and those of ``base`` where nothing is set here."""
        mine = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        return base.model_copy(update=mine)


class McpSettings(BaseModel):
    """Which actions are offered as tools, to whom, and how. Without ``actions`` only those that are marked are.

    Attributes:
        actions: names or patterns of actions.
        tools: options of single tools, by the action's name or a pattern.
        timeout: seconds a call may take, waiting included; the engine gives up after 10.
        conversation: the key of ``_meta`` that holds the conversation's id.
        conversation_argument: the argument that stands for the conversation where a client sends none.
        allowed_hosts: names in ``Host`` that are answered without a credential, besides this machine's own.
        allowed_origins: origins of browsers that may call, besides pages of this machine.
        protocols: the versions that are spoken.
    """

    model_config = _MODEL

    actions: Words = ()
    tools: dict[str, ToolOptions] = {}
    timeout: float = Field(default=8.0, gt=0, le=300)
    conversation: str = Field(default="conversation_id", min_length=1)
    conversation_argument: str | None = None
    allowed_hosts: Words = ()
    allowed_origins: Words = ()
    protocols: Annotated[tuple[Protocol, ...], BeforeValidator(_several), Field(min_length=1)] = get_args(Protocol)

    def offers(self, action: str) -> bool:
        """Tell whether an action is among those that are offered."""
        return any(fnmatchcase(action, pattern) for pattern in self.actions)

    def options_of(self, action: str, marked: ToolOptions | None) -> ToolOptions:
        """Return the options of a tool: ``marked`` in the code, over them the matching patterns; a plain name last."""
        found = ToolOptions(conversation_argument=self.conversation_argument)
        ordered = sorted(self.tools.items(), key=lambda item: item[0] == action)
        for options in (marked, *(o for pattern, o in ordered if fnmatchcase(action, pattern))):
            if options is not None:
                found = options.over(found)
        return found


def mcp(action: Any = None, /, **options: Any) -> Any:
    """Offer an action as a tool, with options that only its author knows::

        @mcp
        class ActionFindTimes(Action): ...

        @mcp(reads=("city",), sets=("weather",), read_only=True)
        class ActionWeather(Action): ...

    Under plain rasa-sdk it changes nothing. Options are those of :class:`ToolOptions`. Raises pydantic's
    ``ValidationError`` for one that does not exist.
    """
    checked = ToolOptions(**options)

    def mark(target: T) -> T:
        setattr(target, _MARK, checked)
        return target

    return mark if action is None else mark(action)


def mark_of(run: Callable[..., Any]) -> ToolOptions | None:
    """Return what an action is marked with; ``run`` is the function that is called for it."""
    owner = getattr(run, "__self__", None)
    # Of the very class, or of the function it was made of: a subclass is another action, and nobody has offered it.
    own = {} if owner is None else vars(type(owner))
    made_of = getattr(own.get("__wrapped__"), "__func__", None)
    marks = (own.get(_MARK), getattr(made_of, _MARK, None), getattr(run, _MARK, None))
    return next((mark for mark in marks if isinstance(mark, ToolOptions)), None)
