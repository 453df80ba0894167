"""Which model is asked is read from `model_groups:`, as Rasa has it."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.endpoints import Block, endpoints_of
from action_server.errors import SettingsError
from action_server.flows.commands.model_groups import model_settings

KEY = "sk-hunter2"


def group(**model: object) -> dict[str, Any]:
    return {"model_groups": [{"id": "one", "models": [{"provider": "openai", "model": "gpt", **model}]}]}


def block(content: dict[str, Any], **environment: str) -> Block:
    return endpoints_of(content, "endpoints.yml", environment).model_groups


def test_the_only_group_is_taken_with_variables_replaced() -> None:
    """As Rasa reads them; OpenAI's address and variable are known."""
    plain = model_settings(block(group(), OPENAI_API_KEY=KEY))
    own = model_settings(block(group(api_base="http://h/v1", api_key="${K}", timeout=3), K=KEY))

    assert (plain.api_base, plain.api_key and plain.api_key.get_secret_value()) == ("https://api.openai.com/v1", KEY)
    assert (own.api_base, own.timeout, own.api_key and own.api_key.get_secret_value()) == ("http://h/v1", 3, KEY)
    assert KEY not in repr(own)


def test_variables_of_another_group_are_nobodys_business() -> None:
    """The engine may use it where they are set."""
    other = {"id": "other", "models": [{"model": "m", "api_key": "${NOT_SET}"}]}
    content = {"model_groups": [other, *group()["model_groups"]]}

    assert model_settings(block(content), "one").model == "gpt"


def test_a_key_of_openai_is_sent_to_nobody_else() -> None:
    """The variable counts for OpenAI's own address only."""
    found = model_settings(block(group(api_base="http://elsewhere/v1"), OPENAI_API_KEY=KEY))

    assert found.api_key is None


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ({}, None, "there is no group with a model"),
        ({"model_groups": "x"}, None, "there is no group with a model"),
        ({"model_groups": [{"id": "a"}, {"id": "b"}]}, None, "say which group is meant: a, b"),
        (group(), "two", "there is no group two; there are one"),
        ({"model_groups": [{"id": "a", "models": []}]}, None, "there is no model"),
        (group(provider="azure"), None, "the provider azure needs an api_base"),
        (group(timeout=KEY), None, "model_groups[one].models[0].timeout"),
        (group(api_key="${NOT_SET}"), None, "NOT_SET is not set"),
        (group(api_base="ftp://x"), None, "model_groups[one].models[0].api_base"),
    ],
    ids=range(9),
)
def test_a_group_that_cannot_be_used_is_named(content: dict[str, Any], name: str | None, said: str) -> None:
    """The entry and what to do; no value of it."""
    with pytest.raises(SettingsError) as refused:
        model_settings(block(content), name)

    assert said in str(refused.value)
    assert KEY not in str(refused.value)
