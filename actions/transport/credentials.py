"""What a request proves its sender with."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from actions.errors import AuthFailedError


class Credentials(Protocol):
    """Adds credentials to requests."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of the next request; raises a `BackendError` if there are no credentials to be had."""

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Take note that the headers `used` were refused (401); return whether there are, or will be, others."""


class NoCredentials:
    """Sends none."""

    async def headers(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Return False: there is nothing to renew."""
        return False


class Secret:
    """A secret that stands in the settings or in a file; `name` is what it is called in errors."""

    def __init__(self, name: str, value: SecretStr | str | None = None, file: Path | None = None) -> None:
        self.name = name
        self._value = value.get_secret_value() if isinstance(value, SecretStr) else value
        self._file = file

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    async def read(self, *, lines: bool = False) -> str:
        """Return the secret, without the line break at the end of its file; `lines`: it may have several, as keys have.

        Raises:
            AuthFailedError: the file cannot be read, or what is there cannot be a secret.
        """
        text = self._value if self._file is None else await asyncio.to_thread(self._content, self._file)
        text = (text or "").strip("\r\n")
        if not text:
            raise AuthFailedError(f"{self.name} is empty")
        if not lines and not text.isprintable():
            raise AuthFailedError(f"{self.name} holds a line break or another control character")
        return text

    def _content(self, file: Path) -> str:
        try:
            return file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise AuthFailedError(f"{self.name}: the file {file} is not UTF-8 text") from None
        except OSError as exc:
            raise AuthFailedError(f"{self.name}: the file {file} cannot be read: {exc.strerror}") from None
        except ValueError:
            raise AuthFailedError(f"{self.name}: no file can have this name") from None


class StaticCredentials:
    """A header that is the same in every request, until the file of its secret holds another one."""

    def __init__(self, header: str, secret: Secret, text: Callable[[str], str]) -> None:
        self._header = header
        self._secret = secret
        self._text = text
        self._found: Mapping[str, str] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the header; the file is read at the first request."""
        if self._found is None:
            self._found = await self._read()
        return self._found

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Read the file again: whoever replaces a secret there need not restart anything."""
        self._found = await self._read()
        return self._found != used

    async def _read(self) -> Mapping[str, str]:
        text = self._text(await self._secret.read())
        if not text.isascii():
            raise AuthFailedError(f"{self._secret.name} holds characters that no header can carry")
        return {self._header: text}


def basic(user: str, password: Secret) -> StaticCredentials:
    """Make credentials of a user name, which holds no colon, and a password (RFC 7617, in UTF-8)."""
    return StaticCredentials("Authorization", password, lambda text: basic_header(user, text))


def bearer(token: Secret) -> StaticCredentials:
    """Make credentials of a token that somebody issued by hand, such as HubSpot's."""
    return StaticCredentials("Authorization", token, lambda text: f"Bearer {text}")


def header(name: str, value: Secret) -> StaticCredentials:
    """Make credentials of a header of the system's own, such as an API key."""
    return StaticCredentials(name, value, str)


def basic_header(user: str, password: str) -> str:
    """Return the value of the header Authorization."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
