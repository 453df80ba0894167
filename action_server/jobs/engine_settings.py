"""What is set for bringing results to the engine: its address, its credential, and routes by channel."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from action_server.security.secrets import Secrets, refuse_nothing

Route = Literal["tracker-events", "set-slots", "trigger-intent", "pick-up"]


class DeliverySettings(BaseModel):
    """How what a job delivers reaches its conversation. Times are in seconds. Without ``engine`` it is picked up.

    Attributes:
        engine: the base address of the engine's HTTP API, which it serves with ``--enable-api``.
        token: its ``--auth-token``.
        jwt_secret: its ``--jwt-secret``; a token of a minute's life is signed for each request.
        jwt_method: its ``--jwt-method``.
        route: for channels without one of their own; ``auto`` chooses by engine and channel.
        channels: the route of single channels, by the engine's name of them.
        timeout: what one request may take. More than the lock's life, since the engine may wait for the lock so long.
        lock_life: how long the engine waits for a conversation, its ``TICKET_LOCK_LIFETIME``: so long after a lost
            reply nothing is repeated.
        deadline: after this a result is given up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    engine: str | None = None
    token: Secrets = ()
    jwt_secret: Secrets = ()
    jwt_method: Literal["HS256", "HS384", "HS512"] = "HS256"
    route: Literal["auto"] | Route = "auto"
    channels: dict[str, Route] = {}
    timeout: float = Field(default=75.0, gt=0, le=3600)
    lock_life: float = Field(default=60.0, ge=0, le=3600)
    deadline: float = Field(default=3600.0, gt=0, le=30 * 86_400)

    _is_something = field_validator("*", mode="before")(refuse_nothing)

    @field_validator("engine")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or parts.query or parts.fragment:
            raise ValueError("must be the engine's address, such as http://localhost:5005")
        if "@" in parts.netloc:
            raise ValueError("must hold no credential: it belongs into token or jwt_secret")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _is_complete(self) -> DeliverySettings:
        if self.token and self.jwt_secret:
            raise ValueError("holds token and jwt_secret: the engine asks for one of them")
        if self.engine is None and (self.token or self.jwt_secret):
            raise ValueError("has a credential and no engine to show it to")
        if "jwt_method" in self.model_fields_set and not self.jwt_secret:
            raise ValueError("jwt_method does nothing without jwt_secret: set it too, or leave both out")
        useless = self._useless_without_engine() if self.engine is None else ""
        if useless:
            raise ValueError(f"{useless} does nothing without engine: set its address too, or leave both out")
        return self

    def _useless_without_engine(self) -> str:
        """Return the first setting that only an engine gives a meaning; "" if there is none."""
        if self.route not in ("auto", "pick-up"):
            return "route"
        if any(route != "pick-up" for route in self.channels.values()):
            return "channels"
        return next((name for name in ("timeout", "lock_life") if name in self.model_fields_set), "")
