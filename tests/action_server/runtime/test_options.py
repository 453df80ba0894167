"""Options come from the code and from endpoints.yml, whose word is the last; what cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from rasa_sdk import Action

from action_server import action_options
from action_server.runtime.options import ActionOptions, FailurePolicy, OptionsTable


def test_options_come_from_defaults_code_patterns_and_names_in_this_order() -> None:
    """A plain name says more than a pattern, wherever it stands; what is not set falls through."""

    @action_options(timeout=2, max_calls=2)
    class Marked(Action):
        pass

    patterns = {
        "action_x": ActionOptions(timeout=4),
        "action_*": ActionOptions(timeout=3, on_error=FailurePolicy(then="say")),
    }
    options = OptionsTable(ActionOptions(timeout=1), patterns)

    def of(name: str) -> tuple[Any, Any, Any]:
        found = options.of(name, Marked().run)
        return found.timeout, found.max_calls, found.on_error and found.on_error.then

    assert of("other") == (2, 2, None)
    assert of("action_y") == (3, 2, "say")
    assert of("action_x") == (4, 2, "say")
    assert options.of("unmarked", print).timeout == 1


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timout": 8}, {"on_error": "shrug"}, {"on_error": {"say": 7}}, {"max_calls": 0}]
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    """At import, where the author sees it."""
    with pytest.raises(ValidationError):
        action_options(**options)


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({"idempotent": "turn"}, "rerun"),
        ({"idempotent": {"key": ["a"], "within": 60}}, "rerun"),
        ({"idempotent": {"key": ["a"], "within": 60, "on_crash": "refuse"}}, "refuse"),
        ({"idempotent": "turn", "on_crash": "refuse"}, "refuse"),
    ],
)
def test_an_action_that_is_safe_to_repeat_says_so_for_every_rule(settings: dict[str, Any], policy: str) -> None:
    """The operator switches the rule on and need not know how the action works; what they say themselves counts."""

    @action_options(on_crash="rerun")
    class Safe(Action):
        pass

    table = OptionsTable(ActionOptions(), {"action_x": ActionOptions.model_validate(settings)})
    rule = table.of("action_x", Safe().run).idempotent

    assert rule
    assert rule.on_crash == policy
