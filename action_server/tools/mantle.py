"""What a Mantle project has to say to use these tools, and what of an action has no counterpart there.

Read in rasa-pro 3.21.0, which needs a licence to run, so none of it was run: `mcp_servers` of integrations.yml takes a
name, a URL and a token from the environment; a skill imports `mcp/<server>:<tool>`; tools of MCP have no memory and
cannot speak, and what they answer goes to the model as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from action_server.runtime.registry import Registry
from action_server.tools.code import read_code
from action_server.tools.offer import Offer, can_be_a_tool
from action_server.tools.tool import Tool

VERSION = "rasa-pro 3.21.0"
# The longest that Mantle waits for a tool unless `tool_timeout` says more.
_PATIENCE = 10


def integrations(offer: Offer, server: str, url: str, *, needs_token: bool) -> str:
    """Return the part of integrations.yml, and of a skill, that uses the tools."""
    token = re.sub(r"\W+", "_", server).upper()
    lines = [
        f"# integrations.yml, as {VERSION} reads it",
        "mcp_servers:",
        f"  - name: {server}",
        f"    url: {url}",
        *([f"    token: ${{{token}_TOKEN}}"] if needs_token else []),
        *_longer_patience(offer),
        "",
        "# skills/<name>/skill.md, in its front matter",
        "import_tools:",
        *(f"  - mcp/{server}:{name}" for name in offer.tools),
    ]
    return "\n".join(lines)


def _longer_patience(offer: Offer) -> Iterator[str]:
    longest = max((tool.patience or 0 for tool in offer.tools.values()), default=0)
    if longest >= _PATIENCE:
        yield f"    tool_timeout: {longest + 2:g}"


def without_counterpart(registry: Registry, offer: Offer) -> list[tuple[str, str]]:
    """Say of each action what of it Mantle has nothing for: the action's name, and a sentence."""
    by_action = {tool.action: tool for tool in offer.tools.values()}
    found: list[tuple[str, str]] = []
    for action in sorted(registry, key=lambda a: a.name):
        tool = by_action.get(action.name)
        if not can_be_a_tool(action):
            found.append((action.name, "is about a turn of a conversation: no tool; the skill's words have to say it"))
        elif tool is None:
            found.append((action.name, "is not offered: name it in mcp.actions"))
        else:
            found += [(action.name, sentence) for sentence in _missing(tool, read_code(action.run).calls)]
    return found


def _missing(tool: Tool, calls: set[str]) -> Iterator[str]:
    if "utter_message" in calls:
        yield "says messages: the model gets them as `text` and may say them in its own words; buttons are lost"
    if "ReminderScheduled" in calls or "ReminderCancelled" in calls:
        yield "sets reminders: there are none"
    if "FollowupAction" in calls:
        yield "names a follow-up action: it is in the answer, and nothing calls it"
    if tool.sets:
        yield "sets slots: they are in the answer, and no memory keeps them"
    may_need = tool.needs_conversation is not None or tool.may_ask_for_conversation
    if may_need and tool.conversation_argument is None:
        yield "needs a conversation, and none is sent: set conversation_argument"
