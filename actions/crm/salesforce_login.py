"""Logging in to Salesforce: a session's token, and the URL of the instance that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from actions.errors import AuthFailedError, InvalidRequestError
from actions.transport import Transport
from actions.transport.shared import Shared
from actions.transport.tokens import Grant, access_token, refusal

_PATH = "/services/oauth2/token"


class Session(NamedTuple):
    """What a login gives."""

    token: str
    instance_url: str


class SalesforceLogin:
    """The credentials of all requests to one organisation.

    Salesforce says neither when a session will end nor, before the login, at which URL it is served: a session is
    used until it is refused, and its URL is asked for here. `transport` calls the organisation's login URL.
    """

    def __init__(self, transport: Transport, grant: Grant, scheme: str) -> None:
        self._transport = transport
        self._grant = grant
        self._scheme = scheme
        self._session = Shared(self._log_in, lambda _: True)

    async def session(self) -> Session:
        """Return the session, made by the first who asks.

        Raises:
            AuthFailedError: the login is refused, with OAuth's code for why.
            UnavailableError: it could not be tried.
        """
        return await self._session.get()

    async def headers(self) -> Mapping[str, str]:
        """Return the header of the session."""
        return _header(await self.session())

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Forget the session that was refused; the next request logs in again."""
        if self._session.value is not None and _header(self._session.value) == used:
            self._session.value = None
        return True

    async def _log_in(self) -> Session:
        answer = await self._transport.request(
            "POST",
            _PATH,
            data=await self._grant.prepare(),
            headers=await self._grant.headers(),
            repeatable=True,
            accept=(400, 401, 403),
            name="login",
        )
        try:
            said = answer.json()
        except InvalidRequestError:
            said = {}
        if answer.status != 200:
            raise refusal(answer, said)
        token, instance = access_token(answer, said), said.get("instance_url")
        # The token goes where the answer says, so at least not over a line that is less safe than the one it came by.
        if not isinstance(instance, str) or not instance.startswith(self._scheme):
            raise AuthFailedError("Salesforce's answer to the login holds no usable instance_url")
        return Session(token, instance)


def _header(session: Session) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.token}"}
