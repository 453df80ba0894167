"""Secrets of the settings: given as text or as a file, several at once, and never shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from action_server import regular_file
from action_server.errors import SettingsError

# Replaced in endpoints.yml only. Anywhere else it would be taken as it stands: a secret everybody knows.
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
# Said of what is named and left without a value, where that would silently be the same as nothing.
EMPTY = "is empty: give it a value, or leave it out"
_QUERY = re.compile(r"(?<=\?)[^\s?#\"']*=[^\s#\"']*")


@dataclass(frozen=True)
class SecretFile:
    """A file of secrets, one a line; empty lines and lines that start with # do not count."""

    file: Path


def _sources(value: object) -> tuple[SecretStr | SecretFile, ...]:
    """Read what stands for secrets: a text (in the environment one secret a line), ``file: <path>``, or several."""
    if isinstance(value, str):
        value = value.rstrip("\r\n").replace("\r\n", "\n").split("\n")
    items = value if isinstance(value, (list, tuple)) else (value,)
    if not items:
        raise ValueError("is empty")
    return tuple(_source(item) for item in items)


Secrets = Annotated[tuple[SecretStr | SecretFile, ...], BeforeValidator(_sources)]


def _source(item: object) -> SecretStr | SecretFile:
    if isinstance(item, SecretFile):
        return item
    if isinstance(item, Mapping) and set(item) == {"file"} and isinstance(item["file"], (str, Path)) and item["file"]:
        return SecretFile(Path(item["file"]))
    text = item.get_secret_value() if isinstance(item, SecretStr) else item
    if not isinstance(text, str):
        raise ValueError("must be text (put numbers in quotes), `file: <path>`, or a list of these")
    problem = problem_of(text)
    if problem:
        raise ValueError(f"a secret {problem}")
    return SecretStr(text)


def refuse_nothing(value: object) -> object:
    """Return a value of a setting. Raises ``ValueError`` if it is None: in YAML, where nothing stands behind the colon.

    Whoever writes the name wants what it secures, an issuer of tokens say, and a template may have left it out.
    """
    if value is None:
        raise ValueError(EMPTY)
    return value


def problem_of(secret: str) -> str | None:
    """Say what makes a text unfit for a secret, without showing it; None if it is fit. Short ones are fit."""
    if not secret:
        return "is empty"
    if secret != secret.strip():
        return "starts or ends with white space"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in secret):
        return "holds a control character or is not UTF-8"
    if _PLACEHOLDER.search(secret):
        return "is a placeholder: ${...} is replaced in endpoints.yml only"
    return None


def texts(sources: Sequence[SecretStr | SecretFile], where: str) -> Iterator[str]:
    """Yield the secrets themselves and read the files for it; ``where`` is the setting they stand in.

    Raises:
        SettingsError: a file cannot be read, holds no secret or one that is unfit; names the line, not its text.
    """
    for source in sources:
        if isinstance(source, SecretStr):
            yield source.get_secret_value()
        else:
            yield from _lines(source.file, where)


def one_text(sources: Sequence[SecretStr | SecretFile], where: str) -> str:
    """Return the one secret that these are. Raises :class:`SettingsError`, also if there are several."""
    first, *more = texts(sources, where)
    if more:
        raise SettingsError(where, "holds several secrets, and only one can be used")
    return first


def _lines(file: Path, where: str) -> Iterator[str]:
    try:
        lines = read_bytes(file, where).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise SettingsError(where, f"{file} is not UTF-8 text") from None
    secrets = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not secrets:
        raise SettingsError(where, f"{file} holds no secret")
    for number, secret in secrets:
        problem = problem_of(secret)
        if problem:
            raise SettingsError(where, f"{file}: line {number} {problem}")
        yield secret


def read_bytes(file: Path, where: str) -> bytes:
    """Return what a file holds. Raises :class:`SettingsError` if it cannot be read."""
    try:
        return regular_file.read_bytes(file)
    except OSError as exc:
        raise SettingsError(where, f"{file} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise SettingsError(where, "cannot be read: no file can have this name") from None


def without_queries(text: str) -> str:
    """Blank out the queries of the URLs in a line of a log: Rasa's ``token:`` is sent there, under any name."""
    return _QUERY.sub("***", text)
