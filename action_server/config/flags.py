"""Flags of the command line, made from the fields of a settings model."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

_WORDS: tuple[tuple[Any, str], ...] = ((int, "N"), (float, "SECONDS"), (str, "TEXT"), (SecretStr, "TEXT"))


@dataclass(frozen=True)
class Flag:
    """How a setting is given on the command line, and rasa-sdk's own variable for it if there is one.

    ``value`` is the word for its value in ``--help``, where the type does not say it.
    """

    names: tuple[str, ...]
    variable: str | None = None
    value: str | None = None


def add_flag_of(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    """Add the flag of a setting, if it has one."""
    flag = flag_of(field)
    if flag is not None:
        parser.add_argument(*flag.names, dest=name, default=None, help=_help(field), **_kind(field))


def flag_of(field: FieldInfo) -> Flag | None:
    """Return how a setting is given on the command line; None for one that is not."""
    return next((m for m in field.metadata if isinstance(m, Flag)), None)


def _kind(field: FieldInfo) -> dict[str, Any]:
    if field.annotation is bool:
        return {"action": "store_const", "const": True}
    if str(field.annotation).startswith("tuple"):
        return {"nargs": "*", "metavar": _word(field)}
    if get_origin(field.annotation) is Literal:
        return {"metavar": "|".join(get_args(field.annotation))}
    return {"metavar": _word(field)}


def _word(field: FieldInfo) -> str:
    """Return what stands for the value in ``--help``."""
    flag = flag_of(field)
    if flag is not None and flag.value is not None:
        return flag.value
    return next((word for kind, word in _WORDS if field.annotation in (kind, kind | None)), "FILE")


def _help(field: FieldInfo) -> str:
    default = field.default
    shown = f" (default: {default})" if default not in (None, False, ()) else ""
    return f"{field.description}{shown}".replace("%", "%%")
