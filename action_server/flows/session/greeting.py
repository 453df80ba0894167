"""What `chat` says of an assistant before anybody asks, and when somebody asks what it can do.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from action_server.flows.commands.command import CannotHandle
from action_server.flows.player.trace import Turn
from action_server.flows.session.show import Line
from action_server.nearest import did_you_mean
from action_server.project.flows import Flow
from action_server.project.project import Project

COMMANDS = {
    "/slots": "the slots that have a value",
    "/stack": "the flows that run, the active one first",
    "/flows": "what the assistant can do",
    "/restart": "a new conversation",
    "/quit": "leave; /stop, Ctrl-D and Ctrl-C do as well",
    "/help": "this list",
}
_MORE = """\
A number clicks the button of that number. Everything else is said to the assistant, /SetSlots(...) and other payloads
of buttons too."""
_MOST_FLOWS = 12
_EXAMPLES = 3
_LONGEST = 73
_ASKS = re.compile(
    r"(?:help(?: me)?|(?:can|could) you help(?: me)?|i need (?:some )?help|what (?:can|do) you do(?: for me)?"
    r"|what can i (?:do|ask|say))\W*",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"/([A-Za-z_]\w*)")
# Payloads that engines know in every assistant.
_PAYLOADS = frozenset({"SetSlots", "session_start", "restart", "back"})


def opening(project: Project, understood: str) -> list[Line]:
    """Return what a person sees first: whose assistant it is, what it can do, and three things to say."""
    examples = [f'"{_as_words(flow)}"' for flow in _offered(project)[:_EXAMPLES]]
    lines = [f"{project.root}, understood {understood}", *_offers(project)]
    if examples:
        lines.append(f"Say for example {' or '.join(filter(None, [', '.join(examples[:-1]), examples[-1]]))}.")
    return [Line(line, "dim") for line in [*lines, "/help lists commands; /quit leaves"]]


def commands_help() -> list[str]:
    """Return the commands of the chat itself, a line each, and what else can be typed."""
    return [*(f"{name:<11} {text}" for name, text in COMMANDS.items()), *_MORE.splitlines()]


def what_it_can_do(project: Project) -> list[str]:
    """Return the flows that users can start, a line each."""
    return list(_offers(project)) or ["no flow can be started by what somebody says"]


def asks_for_help(message: str, turn: Turn) -> bool:
    """Tell whether somebody asked what the assistant can do, and the assistant had no answer of its own."""
    return bool(_ASKS.fullmatch(message)) and any(isinstance(command, CannotHandle) for command in turn.commands)


def unknown_command(text: str, project: Project) -> str:
    """Say that a line that begins with `/` is neither a command here nor an intent there; empty if it is one."""
    found = _COMMAND.fullmatch(text)
    if not found or found[1] in _PAYLOADS or found[1] in project.domain.intents or _is_trigger(found[1], project):
        return ""
    meant = did_you_mean(text, [*COMMANDS, "/stop"])
    return f"there is no command {text} and no intent {found[1]}{meant}; /help lists all"


def _is_trigger(intent: str, project: Project) -> bool:
    mapped = {name for slot in project.domain.slots.values() for mapping in slot.mappings for name in mapping.intents}
    return intent in mapped or any(t.intent == intent for flow in project.flows.values() for t in flow.nlu_trigger)


def _offered(project: Project) -> list[Flow]:
    """Return the flows that users can start: a guard may keep one closed until a slot has a value."""
    return [flow for flow in project.flows.values() if not flow.is_pattern and flow.guard is None]


def _offers(project: Project) -> Iterator[str]:
    flows = _offered(project)
    for flow in flows[:_MOST_FLOWS]:
        text = " ".join(flow.description.split())
        line = f"- {flow.readable_name}{f': {text}' if text else ''}"
        yield line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3].rsplit(' ', 1)[0]} ..."
    if len(flows) > _MOST_FLOWS:
        yield f"- and {len(flows) - _MOST_FLOWS} more: /flows"


def _as_words(flow: Flow) -> str:
    return flow.readable_name.replace("_", " ").strip().lower()
