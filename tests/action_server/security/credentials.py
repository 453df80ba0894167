"""Credentials as engines send them, and a server's settings that take all of them."""

from __future__ import annotations

import base64
import time

import jwt
import pytest
from multidict import CIMultiDict

from action_server.errors import UnauthorizedError
from action_server.security.auth import Authenticator, AuthSettings

# All secrets of these tests begin with it, so that they are found wherever they should not be.
MARK = "geheim"
OLD, NEW, KEY, PASSWORD, JWT_SECRET = (f"{MARK}-{name}" for name in ("old", "new", "key", "p:ssw rt", "j" * 32))
UMLAUTS = f"{MARK}-päßwörd:ü"
EMOJI = f"{MARK}-🔑"

EVERYTHING = {
    "tokens": [OLD, NEW],
    "token_name": "access",
    "headers": {"X-Api-Key": [KEY, UMLAUTS], "Authorization": f"Custom {KEY}"},
    "basic": [
        {"username": "engine", "password": [PASSWORD, NEW]},
        {"username": "jürgen", "password": UMLAUTS},
        {"username": "emoji", "password": EMOJI},
    ],
    "jwt": {"algorithms": "HS256", "secret": JWT_SECRET, "issuer": "id", "audience": "actions"},
}


def authenticator(**settings: object) -> Authenticator:
    return Authenticator(AuthSettings.model_validate(settings))


def headers(*items: tuple[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(items)


def bearer(token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {token}")


def basic(username: str, password: str, encoding: str = "latin-1") -> tuple[str, str]:
    """What aiohttp's BasicAuth, which engines use, makes of it."""
    return ("Authorization", "Basic " + base64.b64encode(f"{username}:{password}".encode(encoding)).decode())


def signed(secret: str = JWT_SECRET, **changes: object) -> str:
    claims = {"iss": "id", "aud": "actions", "sub": "rasa", "exp": time.time() + 3600, **changes}
    return jwt.encode(claims, secret, "HS256")


def refused(checks: Authenticator, sent: list[tuple[str, str]], query: str = "") -> UnauthorizedError:
    with pytest.raises(UnauthorizedError) as error:
        checks.check(headers(*sent), query)
    return error.value
