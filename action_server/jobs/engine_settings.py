"""What is set for bringing results to engines: addresses, credentials, and routes by channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from action_server.protocol.which_engine import is_engine_name
from action_server.security.jwt import Algorithm
from action_server.security.secrets import Secrets, refuse_nothing

Route = Literal["tracker-events", "set-slots", "trigger-intent", "pick-up"]


class EngineSettings(BaseModel):
    """How one engine is reached, and by which routes. Times are in seconds.

    Attributes:
        engine: the base address of the engine's HTTP API, which it serves with ``--enable-api``.
        token: its ``--auth-token``.
        jwt_secret: its ``--jwt-secret`` where that is a shared one; a token of a minute's life is signed for each
            request.
        jwt_private_key: a PEM file with the private key to the public one that is its ``--jwt-secret``.
        jwt_method: its ``--jwt-method``.
        route: for channels without one of their own; ``auto`` chooses by engine and channel.
        channels: the route of single channels, by the engine's name of them.
        timeout: what one request may take. More than the lock's life, since the engine may wait for the lock so long.
        lock_life: how long the engine waits for a conversation, its ``TICKET_LOCK_LIFETIME``: so long after a lost
            reply nothing is repeated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    engine: str | None = None
    token: Secrets = ()
    jwt_secret: Secrets = ()
    jwt_private_key: Path | None = None
    jwt_method: Algorithm = "HS256"
    route: Literal["auto"] | Route = "auto"
    channels: dict[str, Route] = {}
    timeout: float = Field(default=75.0, gt=0, le=3600)
    lock_life: float = Field(default=60.0, ge=0, le=3600)

    _is_something = field_validator("*", mode="before")(refuse_nothing)

    @property
    def signs(self) -> bool:
        """Whether a token is signed for each request."""
        return bool(self.jwt_secret or self.jwt_private_key)

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
    def _is_complete(self) -> EngineSettings:
        given = [name for name in ("token", "jwt_secret", "jwt_private_key") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"holds {' and '.join(given)}: the engine asks for one of them")
        if self.engine is None and given:
            raise ValueError("has a credential and no engine to show it to")
        if "jwt_method" in self.model_fields_set and not self.signs:
            raise ValueError("jwt_method does nothing without jwt_secret: set it too, or leave both out")
        # Were a public key taken for a secret, whoever has it could sign with it (RFC 8725, 2.1).
        if self.signs and self.jwt_method.startswith("HS") != bool(self.jwt_secret):
            raise ValueError(
                f"jwt_method {self.jwt_method} does not go with {given[0]}: HS... go with jwt_secret, all others with "
                "jwt_private_key"
            )
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


class DeliverySettings(EngineSettings):
    """How what a job delivers reaches its conversation. Times are in seconds. Without ``engine`` it is picked up.

    Attributes:
        engines: engines beside it, by the names by which their calls tell them; those that tell none are of ``engine``.
        deadline: after this a result is given up.
    """

    engines: dict[str, EngineSettings] = {}
    deadline: float = Field(default=3600.0, gt=0, le=30 * 86_400)

    @field_validator("engines")
    @classmethod
    def _are_engines(cls, value: Mapping[str, EngineSettings]) -> Mapping[str, EngineSettings]:
        if not all(is_engine_name(name) for name in value):
            raise ValueError("the name of an engine has 1 to 64 of a-z, 0-9, - and _")
        return value

    def reached(self) -> Iterator[tuple[str, EngineSettings]]:
        """Yield all engines with an address, by name; that of calls which tell none has the name ""."""
        yield from ((n, s) for n, s in {"": self, **self.engines}.items() if s.engine is not None)

    def of(self, name: str) -> EngineSettings | None:
        """Return what is set for the engine of a name; None if there is no such name. Of "" there always is."""
        return self if not name else self.engines.get(name)

    @staticmethod
    def place(name: str, setting: str) -> str:
        """Return the name of a setting of an engine, as the endpoints file has it."""
        return f"delivery.engines.{name}.{setting}" if name else f"delivery.{setting}"
