"""Access tokens: fetched from a token endpoint, kept until shortly before they expire, renewed when refused."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from actions.errors import AuthFailedError, InvalidRequestError
from actions.transport.failures import clock_note
from actions.transport.models import JsonObject, Response
from actions.transport.shared import Shared
from actions.transport.transport import Transport

# A token is not used in the last tenth of its life, a minute at most: on its way it must not expire.
_MARGIN_SHARE, _LONGEST_MARGIN = 0.1, 60.0

_CODE = re.compile(r"[A-Za-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")

# RFC 6749, 5.2, and what servers add to it.
_WORDS = {
    "invalid_client": "the client is not known, or its secret or key is not the right one",
    "invalid_grant": "the proof was not accepted: its secret, subject, audience, key or time is not right",
    "unauthorized_client": "the client may not fetch tokens in this way",
    "unsupported_grant_type": "the endpoint gives no tokens in this way",
    "invalid_scope": "a scope is not known, or the client may not have it",
    "invalid_request": "the request was not understood",
    "access_denied": "access was denied",
    "invalid_client_id": "the client is not known",
}


class Grant(Protocol):
    """What is sent to a token endpoint."""

    async def prepare(self) -> Callable[[], Mapping[str, str]]:
        """Return what makes the form of each try; raises `AuthFailedError` if the secret or key cannot be used."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that go with it."""


@dataclass(frozen=True)
class Token:
    """An access token; `fresh_until` is a reading of the clock, infinite if the server does not say."""

    text: str
    fresh_until: float


class TokenCredentials:
    """Bearer tokens of an OAuth 2 server. `endpoint` is a transport of its own, whose base URL is the token URL."""

    def __init__(self, endpoint: Transport, grant: Grant, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._grant = grant
        self._clock = clock
        self._token = Shared(self._ask, self._is_fresh)

    async def headers(self) -> Mapping[str, str]:
        """Return the header with a token that is still good; one caller fetches it, the others wait.

        Raises:
            AuthFailedError: the token endpoint refuses, in words and with its OAuth error code.
            UnavailableError: it cannot be reached, or it has had too many requests.
        """
        return _header(await self._token.get())

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Drop the token if it is the one that was refused; the next `headers` fetches another."""
        if self._token.value is not None and _header(self._token.value) == used:
            self._token.value = None
        return True

    def _is_fresh(self, token: Token) -> bool:
        return self._clock() < token.fresh_until

    async def _ask(self) -> Token:
        asked = self._clock()
        answer = await self._endpoint.request(
            "POST",
            "",
            data=await self._grant.prepare(),
            headers={"Accept": "application/json", **await self._grant.headers()},
            repeatable=True,
            accept=(400, 401, 403),
            name="token",
        )
        try:
            content = answer.json()
        except InvalidRequestError:
            content = {}
        if answer.status != 200:
            raise refusal(answer, content)
        return _token(answer, content, asked)


def _token(answer: Response, content: JsonObject, asked: float) -> Token:
    text = access_token(answer, content)
    kind = content.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AuthFailedError(f"{answer.system} gave a token that is not a bearer token")
    try:
        # Some servers write the number as text.
        lifetime = float(str(content.get("expires_in")))
    except ValueError:
        lifetime = math.inf
    if not lifetime > 0:
        lifetime = math.inf
    margin = min(_LONGEST_MARGIN, lifetime * _MARGIN_SHARE)
    return Token(text, asked + lifetime - margin)


def access_token(answer: Response, content: JsonObject) -> str:
    """Return the token of an answer, fit for a header; raises `AuthFailedError` if there is none."""
    text = content.get("access_token")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise AuthFailedError(f"{answer.system} gave no token: its answer holds no usable access_token")
    return text


def refusal(answer: Response, content: JsonObject) -> AuthFailedError:
    """Return the error that an answer without a token is, with OAuth's code for why if it has one."""
    code = content.get("error")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return AuthFailedError(
            f"{answer.system} gave no token: it answered {answer.status}{clock_note(answer.headers)}"
        )
    words = _WORDS.get(code, "it refused")
    return AuthFailedError(f"{answer.system} gave no token: {words} ({code}){clock_note(answer.headers)}")


def _header(token: Token) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token.text}"}
