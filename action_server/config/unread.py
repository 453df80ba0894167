"""Settings that nobody reads: misspelt ones mostly, and parts of what is not there. A server that runs only says so."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from action_server.config.settings import Settings
from action_server.config.sources import ENVIRONMENT_PREFIX
from action_server.nearest import did_you_mean
from action_server.runtime.tool_options import McpSettings
from action_server.security.auth import AuthSettings

logger = logging.getLogger(__name__)

_ONE_UNDERSCORE = "ACTION_SERVER_"
# Kubernetes sets it, for a service that is called so.
_OF_KUBERNETES = "port"
# What stands below a setting in a variable of its own. Whatever else begins as they do may be anybody's: Kubernetes
# sets ACTION_SERVER_AUTH_SERVICE_HOST for a service that is called action-server-auth.
_BELOW = {
    "auth": tuple(AuthSettings.model_fields),
    "mcp": tuple(McpSettings.model_fields),
    "database_password": ("file",),
}


class Unread(NamedTuple):
    """Where a setting stands that nobody reads, and what is wrong with it."""

    setting: str
    problem: str


def unread_in_surroundings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Unread]:
    """Yield the misspelt blocks of the endpoints file, and variables that are ours but for underscores and capitals."""
    for where, meant in settings.blocks.misspelt:
        yield Unread(where, f"nobody reads it; did you mean {meant!r}?")
    for variable, value in environment.items():
        nearest = _meant_by(variable) if value else None
        if nearest is not None:
            yield Unread(variable, f"nobody reads it; did you mean {nearest!r}?")


def _meant_by(variable: str) -> str | None:
    """Return the variable that somebody meant with one that nobody reads; None if it is not like any of ours."""
    in_capitals = variable.upper()
    if variable.startswith(ENVIRONMENT_PREFIX) or not in_capitals.startswith(_ONE_UNDERSCORE):
        return None
    rest = in_capitals.removeprefix(_ONE_UNDERSCORE).strip("_")
    name = re.sub("_+", "_", rest).lower()
    if name in Settings.model_fields and name != _OF_KUBERNETES:
        return f"{ENVIRONMENT_PREFIX}{name.upper()}"
    if rest.startswith("SERVICES__"):
        return f"{ENVIRONMENT_PREFIX}{rest}"
    for group, fields in _BELOW.items():
        for field in fields:
            if name == f"{group}_{field}" or name.startswith(f"{group}_{field}_"):
                below = name.removeprefix(f"{group}_{field}").strip("_")
                return ENVIRONMENT_PREFIX + "__".join(filter(None, [group, field, below])).upper()
    return None


def unread_options(settings: Settings, actions: Mapping[str, Any]) -> Iterator[Unread]:
    """Yield the options of actions that are not there. ``actions`` are the functions that are called, by name.

    A pattern may fit nothing; what counts after a crash is nothing for an action that may run twice anyway.
    """
    table = settings.options
    for name, options in settings.action_options.items():
        where = f"actions.{name}"
        if any(character in name for character in "*?["):
            continue
        if name not in actions:
            yield Unread(where, f"there is no such action{did_you_mean(name, actions)}")
        elif options.on_crash is not None and not table.of(name, actions[name]).idempotent:
            yield Unread(f"{where}.on_crash", "does nothing without `idempotent`, which makes the action run once")


def unread_without_tools(settings: Settings) -> Iterator[Unread]:
    """Yield what is set for tools, where no action is offered as one."""
    problem = "no action is offered as a tool: name them in `mcp: actions:`, or mark them with @mcp"
    if settings.mcp.model_fields_set:
        yield Unread("mcp", problem)
    if settings.domain is not None:
        yield Unread("domain", problem)


def say(found: Iterable[Unread]) -> None:
    """Write a line for each into the log."""
    for unread in found:
        logger.warning("settings.unread", extra=unread._asdict())
