"""Where settings are found, flags aside: in the environment and in ``action_server:`` of the endpoints file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from action_server.config.flags import flag_of
from action_server.endpoints import Block
from action_server.errors import SettingsError
from action_server.nearest import did_you_mean
from action_server.security.secrets import EMPTY

# Two underscores: Kubernetes sets ACTION_SERVER_PORT=tcp://... for a service that is called "action-server".
ENVIRONMENT_PREFIX = "ACTION_SERVER__"
# Settings with a structure of their own; in the environment two underscores stand between the levels.
_NESTED = ("services", "auth", "database_password", "mcp", "delivery")
_NESTED_PREFIXES = tuple(f"{ENVIRONMENT_PREFIX}{name.upper()}__" for name in _NESTED)

# Settings that secure the server: set, but empty, they must not be silently none.
OF_TLS = ("ssl_certificate", "ssl_keyfile", "ssl_password", "ssl_ca_file")
_SECURING = (*OF_TLS, "auth", "database_password")
# By the name of a setting: where it was found, and its value.
Found = dict[str, tuple[str, Any]]
# The settings there are, by name.
Fields = Mapping[str, FieldInfo]


def find_in_environment(environment: Mapping[str, str], fields: Fields) -> Found:
    """Find the settings that variables give; an empty variable gives none.

    Raises:
        SettingsError: a variable of ours is no setting, two of them contradict each other, or what secures is empty.
    """
    found: Found = {}
    for name, field in fields.items():
        flag = flag_of(field)
        for variable in (flag.variable if flag else None, f"{ENVIRONMENT_PREFIX}{name.upper()}"):
            if variable and environment.get(variable):
                found[name] = (variable, environment[variable])
            elif variable and name in _SECURING and variable in environment:
                raise SettingsError(variable, EMPTY)
    _refuse_unknown(environment, fields)
    for name, prefix in zip(_NESTED, _NESTED_PREFIXES, strict=True):
        nested: dict[str, Any] = {}
        for variable, value in environment.items():
            if variable.startswith(prefix):
                _set_nested(nested, variable, variable.removeprefix(prefix), value)
        if nested:
            found[name] = (f"{prefix}...", nested)
    return found


def find_in_block(block: Block, fields: Fields) -> Found:
    """Find the settings that ``action_server:`` of the endpoints file gives.

    Raises:
        SettingsError: it holds no settings, one that cannot stand there, or a variable that is not set.
    """
    if block.written is None:
        return {}
    if not isinstance(block.written, dict):
        raise SettingsError(block.where, "must hold settings, one `name: value` a line")
    for name, value in block.written.items():
        where = f"{block.where}.{name}"
        if name == "endpoints":
            raise SettingsError(where, "cannot be set in the file itself; use --endpoints")
        field = fields.get(name)
        if isinstance(value, bool) and field is not None and field.annotation in (int, float):
            # For Python true is the number 1.
            raise SettingsError(where, "must be a number")
    # `actions: <package>` says which actions there are, `actions: {action_x: {...}}` sets options of single ones.
    has_options = isinstance(block.written.get("actions"), dict)
    return {
        "action_options" if name == "actions" and has_options else str(name): (f"{block.where}.{name}", value)
        for name, value in block.content().items()
    }


def _refuse_unknown(environment: Mapping[str, str], fields: Fields) -> None:
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in fields}
    for variable in environment:
        ours = variable.startswith(ENVIRONMENT_PREFIX) and not variable.startswith(_NESTED_PREFIXES)
        if ours and variable not in known:
            raise SettingsError(variable, no_such_setting(variable, known))


def no_such_setting(name: str, known: Iterable[str]) -> str:
    """Say that there is no setting of this name, and which may have been meant."""
    hint = did_you_mean(name, known) or "; `action-server help settings` lists them"
    return f"there is no such setting{hint}"


def _set_nested(target: dict[str, Any], variable: str, path: str, value: str) -> None:
    *groups, last = path.lower().split("__")
    for key in groups:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            raise SettingsError(variable, "another variable gives a value to what is a group here")
    if isinstance(target.get(last), dict):
        raise SettingsError(variable, "other variables give values below it, so it cannot have one itself")
    target[last] = value


def file_exists(file: Path) -> bool:
    """Tell whether there is a file of this name, also where no file can have it."""
    try:
        return file.exists()
    except (OSError, ValueError):
        # A name no file can have: too long, or with a zero byte.
        return False
