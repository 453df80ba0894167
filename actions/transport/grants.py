"""How a client proves to a token endpoint who it is: by a secret, by a signed assertion, or by one about a user."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote_plus

from actions.errors import AuthFailedError
from actions.transport.credentials import Secret, basic_header

Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]

# Seconds that an assertion is good for. SMART on FHIR allows five minutes, Salesforce three; the rest of each is for
# clocks that differ.
_CLIENT_ASSERTION, _USER_ASSERTION = 270, 150

Claims = Callable[[], dict[str, Any]]


class Signer:
    """Signs assertions with a private key in PEM. PyJWT is imported late: it takes a tenth of a second."""

    def __init__(self, key: Secret, algorithm: Algorithm, key_id: str | None) -> None:
        self._key = key
        self._algorithm = algorithm
        self._headers = {"kid": key_id} if key_id else None

    async def prepare(self, claims: Claims) -> Callable[[], str]:
        """Return what makes a new assertion each time; raises `AuthFailedError` if the key cannot be used."""
        import jwt

        key = await self._key.read(lines=True)

        def sign() -> str:
            return jwt.encode(claims(), key, algorithm=self._algorithm, headers=self._headers)

        try:
            sign()
        except (jwt.PyJWTError, ValueError, TypeError):
            text = f"{self._key.name} is not a private key in PEM without a password that fits {self._algorithm}"
            raise AuthFailedError(text) from None
        return sign


class ClientSecretGrant:
    """OAuth's client credentials with a secret (RFC 6749, 4.4), by HTTP Basic or in the form."""

    def __init__(self, client_id: str, secret: Secret, scope: str | None, send: Literal["basic", "body"]) -> None:
        self._client_id = client_id
        self._secret = secret
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        self._send = send

    async def prepare(self) -> Callable[[], Mapping[str, str]]:
        """Return the form, with the secret if it goes there."""
        form = dict(self._form)
        if self._send == "body":
            form |= {"client_id": self._client_id, "client_secret": await self._secret.read()}
        return lambda: form

    async def headers(self) -> Mapping[str, str]:
        """Return the secret's header, if it goes there; both parts are form-encoded first (RFC 6749, 2.3.1)."""
        if self._send == "body":
            return {}
        secret = await self._secret.read()
        return {"Authorization": basic_header(quote_plus(self._client_id), quote_plus(secret))}


class PrivateKeyGrant:
    """OAuth's client credentials with a signed assertion (RFC 7523), as SMART Backend Services want them."""

    def __init__(self, client_id: str, signer: Signer, scope: str | None, audience: str) -> None:
        self._client_id = client_id
        self._signer = signer
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        self._audience = audience

    async def prepare(self) -> Callable[[], Mapping[str, str]]:
        """Return what makes a form with a new assertion: servers accept each of them once."""
        sign = await self._signer.prepare(lambda: _claims(self._client_id, self._client_id, self._audience))
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return lambda: {**self._form, "client_assertion_type": kind, "client_assertion": sign()}

    async def headers(self) -> Mapping[str, str]:
        """Return none."""
        return {}


class JwtBearerGrant:
    """A signed assertion about a user as the grant itself (RFC 7523), as Salesforce wants it."""

    def __init__(self, issuer: str, subject: str, signer: Signer, scope: str | None, audience: str) -> None:
        self._issuer = issuer
        self._subject = subject
        self._signer = signer
        self._form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            **({"scope": scope} if scope else {}),
        }
        self._audience = audience

    async def prepare(self) -> Callable[[], Mapping[str, str]]:
        """Return what makes a form with a new assertion."""
        sign = await self._signer.prepare(
            lambda: _claims(self._issuer, self._subject, self._audience, lifetime=_USER_ASSERTION)
        )
        return lambda: {**self._form, "assertion": sign()}

    async def headers(self) -> Mapping[str, str]:
        """Return none."""
        return {}


def _claims(issuer: str, subject: str, audience: str, lifetime: int = _CLIENT_ASSERTION) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_urlsafe(24),
    }
