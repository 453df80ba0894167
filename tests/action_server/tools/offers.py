"""Actions that do nothing, and offers of actions."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action

from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings
from action_server.tools.offer import Offer, make_offer

EVERYTHING = McpSettings(actions=("*",))


def action(action_name: str, doc: str | None = None, **attributes: Any) -> type[Action]:
    """An action of this name, which does nothing."""

    def run(self: Action, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return []

    return type("Made", (Action,), {"name": lambda _: action_name, "run": run, "__doc__": doc, **attributes})


def offer(*actions: type[Action], settings: McpSettings = EVERYTHING, domain: dict[str, Any] | None = None) -> Offer:
    registry = Registry()
    for cls in actions:
        registry.register_action(cls)
    return make_offer(registry, settings, OptionsTable(ActionOptions(), {}), domain)
