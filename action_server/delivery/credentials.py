"""What shows an engine that we may speak in its conversations: its token, or one that is signed for each request."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from action_server.extras import packages_for
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings
from action_server.security.jwt import shared_secret, signing_key
from action_server.security.secrets import one_text, read_bytes

# Seconds that a signed token is good for.
_TOKEN_LIFE = 60


class Shown(NamedTuple):
    """What a request to an engine has of it."""

    query: dict[str, str]
    headers: dict[str, str]


class Credentials:
    """Those for one engine, whose name in the settings is ``name``; files are read for each request."""

    def __init__(self, settings: EngineSettings, name: str = "") -> None:
        self._settings = settings
        self._name = name
        # The key of a file, and what stood there when it was read: that takes a while.
        self._key: tuple[bytes, Any] = b"", None

    def show(self) -> Shown:
        """Return what goes with the next request. Raises :class:`SettingsError` if there is no usable secret or key."""
        if self._settings.token:
            return Shown({"token": one_text(self._settings.token, self._place("token"))}, {})
        return Shown({}, {"Authorization": f"Bearer {self._sign()}"} if self._settings.signs else {})

    def _sign(self) -> str:
        with packages_for(self._place("jwt_secret")):
            import jwt
        # https://rasa.com/docs/rasa/http-api#jwt-based-auth: an admin may speak in every conversation.
        payload = {"user": {"username": "action-server", "role": "admin"}, "exp": int(time.time()) + _TOKEN_LIFE}
        return jwt.encode(payload, self._find_key(), algorithm=self._settings.jwt_method)

    def _find_key(self) -> Any:
        method = self._settings.jwt_method
        if self._settings.jwt_private_key is None:
            where = self._place("jwt_secret")
            return shared_secret(one_text(self._settings.jwt_secret, where), where)
        where = self._place("jwt_private_key")
        content = read_bytes(self._settings.jwt_private_key, where)
        if content != self._key[0]:
            self._key = content, signing_key(content, method, where)
        return self._key[1]

    def _place(self, setting: str) -> str:
        return DeliverySettings.place(self._name, setting)
