"""The settings of credentials: for each kind a model, to be told apart by `type`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from actions.transport.address import BaseUrl
from actions.transport.credentials import Credentials, NoCredentials, Secret, basic, bearer, header
from actions.transport.grants import Algorithm, ClientSecretGrant, JwtBearerGrant, PrivateKeyGrant, Signer
from actions.transport.models import TransportSettings
from actions.transport.tokens import Grant, TokenCredentials
from actions.transport.transport import Transport

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def secret(self, name: str) -> Secret:
        """Return the secret of this name, which stands in the settings or in a file."""
        return Secret(f"the {name} of these credentials", getattr(self, name), getattr(self, f"{name}_file"))

    def _count(self, *names: str) -> int:
        return sum(getattr(self, key) is not None for name in names for key in (name, f"{name}_file"))

    def _require_one(self, *names: str) -> None:
        if self._count(*names) != 1:
            raise ValueError(f"needs exactly one of {', '.join(f'{name}, {name}_file' for name in names)}")


class NoCredentialsSettings(_Settings):
    """For systems that ask for none."""

    type: Literal["none"]


class BasicSettings(_Settings):
    """A user name and a password."""

    type: Literal["basic"]
    user: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f:]+$")]
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_password(self) -> BasicSettings:
        self._require_one("password")
        return self


class BearerSettings(_Settings):
    """A token that does not expire, or that something else renews in its file."""

    type: Literal["bearer"]
    token: SecretStr | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_token(self) -> BearerSettings:
        self._require_one("token")
        return self


class HeaderSettings(_Settings):
    """A header of the system's own, such as X-Api-Key."""

    type: Literal["header"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
    value: SecretStr | None = None
    value_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_value(self) -> HeaderSettings:
        self._require_one("value")
        return self


class OAuthSettings(_Settings):
    """OAuth's client credentials, with a secret or with a private key (SMART Backend Services).

    Attributes:
        client_auth: where the secret goes, in the header Authorization ("basic") or in the form ("body").
        algorithm: what the key signs with; SMART asks for RS384 or ES384.
        key_id: the key's `kid` in the JSON Web Key Set that the server knows.
        audience: whom an assertion is for; the token URL if there is none.
        token_transport: how the token endpoint is called.
    """

    type: Literal["oauth_client_credentials"]
    token_url: BaseUrl
    client_id: _Text
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    client_auth: Literal["basic", "body"] = "basic"
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    algorithm: Algorithm = "RS384"
    key_id: _Text | None = None
    audience: _Text | None = None
    scope: _Text | None = None
    token_transport: TransportSettings = TransportSettings()

    @model_validator(mode="after")
    def _has_one_secret(self) -> OAuthSettings:
        self._require_one("client_secret", "private_key")
        return self

    def grant(self) -> Grant:
        """Return what these settings send to the token endpoint."""
        if self._count("client_secret"):
            return ClientSecretGrant(self.client_id, self.secret("client_secret"), self.scope, self.client_auth)
        signer = Signer(self.secret("private_key"), self.algorithm, self.key_id)
        return PrivateKeyGrant(self.client_id, signer, self.scope, self.audience or self.token_url)


class JwtBearerSettings(_Settings):
    """OAuth's JWT bearer grant: a key speaks for a user, as Salesforce's connected apps do.

    Attributes:
        issuer: the client id (Salesforce: the consumer key).
        subject: the user's name.
        audience: whom the assertion is for (https://login.salesforce.com); the token URL if there is none.
    """

    type: Literal["jwt_bearer"]
    token_url: BaseUrl
    issuer: _Text
    subject: _Text
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    algorithm: Algorithm = "RS256"
    key_id: _Text | None = None
    audience: _Text | None = None
    scope: _Text | None = None
    token_transport: TransportSettings = TransportSettings()

    @model_validator(mode="after")
    def _has_one_key(self) -> JwtBearerSettings:
        self._require_one("private_key")
        return self

    def grant(self) -> Grant:
        """Return what these settings send to the token endpoint."""
        signer = Signer(self.secret("private_key"), self.algorithm, self.key_id)
        return JwtBearerGrant(self.issuer, self.subject, signer, self.scope, self.audience or self.token_url)


CredentialsSettings = Annotated[
    NoCredentialsSettings | BasicSettings | BearerSettings | HeaderSettings | OAuthSettings | JwtBearerSettings,
    Field(discriminator="type"),
]


def make_credentials(session: aiohttp.ClientSession, system: str, settings: CredentialsSettings) -> Credentials:
    """Make the credentials of a system. Nothing is read or fetched before the first request needs it."""
    if isinstance(settings, BasicSettings):
        return basic(settings.user, settings.secret("password"))
    if isinstance(settings, BearerSettings):
        return bearer(settings.secret("token"))
    if isinstance(settings, HeaderSettings):
        return header(settings.name, settings.secret("value"))
    if isinstance(settings, NoCredentialsSettings):
        return NoCredentials()
    endpoint = Transport(
        session, f"the token endpoint of {system}", settings.token_url, settings=settings.token_transport
    )
    return TokenCredentials(endpoint, settings.grant())
