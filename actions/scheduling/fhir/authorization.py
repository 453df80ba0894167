"""How a FHIR server knows who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from pydantic import TypeAdapter, ValidationError

from actions.errors import AuthFailedError, InvalidRequestError
from actions.scheduling.fhir.settings import FhirSettings, SmartSettings
from actions.transport import BaseUrl, Credentials, Transport, make_credentials
from actions.transport.credential_settings import OAuthSettings

_PLACE = ".well-known/smart-configuration"


def fhir_credentials(session: aiohttp.ClientSession, system: str, settings: FhirSettings) -> Credentials:
    """Make the credentials of the server; nothing is read or fetched before the first request needs it."""
    if isinstance(settings.auth, SmartSettings):
        return SmartCredentials(session, system, settings, settings.auth)
    return make_credentials(session, system, settings.auth)


class SmartCredentials:
    """Tokens of SMART Backend Services, from the endpoint that the server itself names unless the settings do.

    https://hl7.org/fhir/smart-app-launch/backend-services.html
    """

    def __init__(
        self, session: aiohttp.ClientSession, system: str, settings: FhirSettings, smart: SmartSettings
    ) -> None:
        self._session = session
        self._system = system
        self._settings = settings
        self._smart = smart
        self._made: Credentials | None = None
        self._making = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """Return the header with a token.

        Raises:
            AuthFailedError: the server does not say where tokens are issued, or none is issued.
            UnavailableError: the one or the other cannot be reached.
        """
        async with self._making:
            if self._made is None:
                self._made = self._with(self._smart.token_url or await self._discovered())
        return await self._made.headers()

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Drop the token that was refused; the next `headers` fetches another."""
        return self._made is not None and await self._made.renew(used)

    def _with(self, token_url: str) -> Credentials:
        smart = self._smart
        return make_credentials(
            self._session,
            self._system,
            OAuthSettings(
                type="oauth_client_credentials",
                token_url=token_url,
                client_id=smart.client_id,
                private_key=smart.private_key,
                private_key_file=smart.private_key_file,
                algorithm=smart.algorithm,
                key_id=smart.key_id,
                scope=smart.scope,
                token_transport=self._settings.transport,
            ),
        )

    async def _discovered(self) -> str:
        where = f"the SMART configuration of {self._system}"
        transport = Transport(self._session, where, self._settings.url, settings=self._settings.transport)
        answer = await transport.request("GET", _PLACE, headers={"Accept": "application/json"}, name=_PLACE)
        try:
            if answer.status != 200:
                raise InvalidRequestError(f"{where} answered {answer.status}")
            return token_endpoint(self._settings.url, answer.json())
        except InvalidRequestError as exc:
            raise AuthFailedError(f"{exc}: set token_url") from None


def token_endpoint(base_url: str, configuration: Mapping[str, object]) -> str:
    """Return where a SMART configuration says that tokens are issued.

    Raises:
        InvalidRequestError: it does not say, or a server that is reached by TLS names a place that is not.
    """
    try:
        found = str(TypeAdapter(BaseUrl).validate_python(configuration.get("token_endpoint"), strict=True))
    except ValidationError:
        raise InvalidRequestError("the server's SMART configuration names no token_endpoint") from None
    if base_url.startswith("https:") and not found.startswith("https:"):
        raise InvalidRequestError("the server's SMART configuration names a token_endpoint without TLS")
    return found
