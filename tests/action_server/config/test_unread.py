"""Settings that nobody reads are said, with the name that may have been meant; the server starts."""

from __future__ import annotations

from typing import Any

import pytest

from action_server.config.unread import unread_in_surroundings, unread_options, unread_without_tools
from tests.action_server.config.started import read

pytestmark = pytest.mark.usefixtures("folder")


async def run(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return []


ACTIONS = {"action_book": run, "action_cancel": run}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("action_bok: {timeout: 3}", ("actions.action_bok", "there is no such action; did you mean 'action_book'?")),
        ("validate_form: {timeout: 3}", ("actions.validate_form", "there is no such action")),
        (
            "action_book: {on_crash: rerun}",
            ("actions.action_book.on_crash", "does nothing without `idempotent`, which makes the action run once"),
        ),
        ("action_book: {on_crash: rerun, idempotent: turn}", None),
        ("'validate_*': {timeout: 3}", None),
        ("action_book: {timeout: 3}", None),
    ],
)
def test_options_of_an_action_that_is_not_there(options: str, said: tuple[str, str] | None) -> None:
    """A pattern may fit nothing."""
    settings = read(file=f"action_server: {{actions: {{{options}}}}}")

    assert list(unread_options(settings, ACTIONS)) == ([said] if said else [])


def test_a_misspelt_block_of_the_endpoints_file() -> None:
    """Blocks of Rasa are none, nor is anything that is not close to ours."""
    settings = read(file="action_servr: {port: 1}\ntracng: {}\nmodels: {}\nevent_broker: {}\nmine: {}\n")

    assert list(unread_in_surroundings(settings, {})) == [
        ("endpoints.yml: action_servr", "nobody reads it; did you mean 'action_server'?"),
        ("endpoints.yml: tracng", "nobody reads it; did you mean 'tracing'?"),
    ]


def test_a_variable_with_one_underscore() -> None:
    """But for what Kubernetes sets for a service that is called action-server, and rasa-sdk's own."""
    environment = {
        "ACTION_SERVER_TIMEOUT": "3",
        "ACTION_SERVER_PORT": "tcp://10.0.0.1:5055",
        "ACTION_SERVER_SERVICE_HOST": "10.0.0.1",
        "ACTION_SERVER_SANIC_WORKERS": "2",
        "ACTION_SERVER_WORKERS": "",
    }

    assert list(unread_in_surroundings(read(), environment)) == [
        ("ACTION_SERVER_TIMEOUT", "nobody reads it; did you mean 'ACTION_SERVER__TIMEOUT'?")
    ]


def test_a_variable_that_is_ours_but_for_underscores_and_capitals() -> None:
    """With it the server was open to all, and nothing said so. What Kubernetes sets for other services is none."""
    environment = {
        "ACTION_SERVER_AUTH__TOKENS": "secret",
        "action_server__auth__tokens": "secret",
        "ACTION_SERVER_AUTH_HEADERS_X_API_KEY": "secret",
        "ACTION_SERVER_SSL_CERTIFICATE": "both.pem",
        "Action_Server__Services__Clinic__Database": "try.sqlite3",
        "ACTION_SERVER_AUTH_SERVICE_HOST": "10.0.0.1",
        "ACTION_SERVER_AUTH_PORT": "tcp://10.0.0.1:5055",
        "ACTION_SERVER_SERVICES_PORT": "tcp://10.0.0.1:5055",
        "ACTION_SERVERS__PORT": "1",
    }

    assert list(unread_in_surroundings(read(), environment)) == [
        (variable, f"nobody reads it; did you mean 'ACTION_SERVER__{meant}'?")
        for variable, meant in zip(
            environment,
            [
                "AUTH__TOKENS",
                "AUTH__TOKENS",
                "AUTH__HEADERS__X_API_KEY",
                "SSL_CERTIFICATE",
                "SERVICES__CLINIC__DATABASE",
            ],
            strict=False,
        )
    ]


def test_what_is_set_for_tools_where_there_are_none() -> None:
    """Half of a setting."""
    settings = read(file="action_server: {mcp: {allowed_hosts: [x]}, domain: domain.yml}")

    assert [unread.setting for unread in unread_without_tools(settings)] == ["mcp", "domain"]
    assert list(unread_without_tools(read(file=""))) == []
