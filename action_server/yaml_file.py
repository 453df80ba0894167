"""Reads YAML files of the user: endpoints.yml, a domain, a logging configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from action_server.errors import SettingsError


def read_yaml(path: Path, where: str) -> Any:
    """Return what a file holds. ``where`` names the flag or setting the file came from.

    Raises:
        SettingsError: the file cannot be read or is not YAML; names line and column, and quotes nothing of the file,
            which may hold credentials.
    """
    file = "" if where == str(path) else f"{path} "
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingsError(where, f"{file}cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(where, f"{file}cannot be read as UTF-8 text (at byte {exc.start})") from exc
    except Exception as exc:  # noqa: BLE001
        # Not only YAMLError: ruamel lets through what its constructors raise for a date that does not exist, for a tag
        # with a wrong value (KeyError, IndexError) or for brackets without end (RecursionError).
        raise SettingsError(where, f"{file}cannot be read as YAML{_place(exc)}") from None


def _place(exc: Exception) -> str:
    mark = exc.problem_mark if isinstance(exc, MarkedYAMLError) else None
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
