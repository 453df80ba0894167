"""What a Mantle project has to say to use the tools, and what of them it has nothing for."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action
from rasa_sdk.events import FollowupAction, ReminderScheduled

from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.tools.mantle import integrations, without_counterpart
from action_server.tools.offer import make_offer
from tests.action_server.tools.offers import action, offer


class ActionReminds(Action):
    def name(self) -> str:
        return "action_reminds"

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return [ReminderScheduled("intent", None), FollowupAction("action_next")]


def test_a_server_that_takes_longer_is_waited_for() -> None:
    """The engine waits 10 s by itself; a token stands there if one is asked for."""

    def lines(timeout: float, *, needs_token: bool = False) -> list[str]:
        found = offer(action("action_x"), settings=McpSettings(actions=("*",), timeout=timeout))
        return integrations(found, "my.clinic", "http://x/mcp", needs_token=needs_token).splitlines()

    assert not any("tool_timeout" in line for line in lines(9))
    assert "    tool_timeout: 14" in lines(12)
    assert "    token: ${MY_CLINIC_TOKEN}" in lines(9, needs_token=True)
    assert not any("token" in line for line in lines(9))


def test_what_has_no_counterpart_is_said_action_by_action() -> None:
    """Reminders and follow-ups of a tool; an action that is none says why."""
    registry = Registry()
    for cls in (ActionReminds, action("action_home"), action("validate_form")):
        registry.register_action(cls)
    found = make_offer(registry, McpSettings(actions=("action_reminds",)), OptionsTable(ActionOptions(), {}))

    said = without_counterpart(registry, found)

    assert [(name, sentence.partition(":")[0]) for name, sentence in said] == [
        ("action_home", "is not offered"),
        ("action_reminds", "sets reminders"),
        ("action_reminds", "names a follow-up action"),
        ("validate_form", "is about a turn of a conversation"),
    ]
