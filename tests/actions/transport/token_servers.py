"""Credentials that fetch tokens, and what token endpoints answer, for the tests of the transport."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import aiohttp
from pydantic import BaseModel, ConfigDict

from actions.transport import Credentials, CredentialsSettings, make_credentials
from tests.actions.transport.transport_servers import Answer, Asked, Remote

SECRET = "s3cr3t-4711"


class Holder(BaseModel):
    """Settings with credentials, as every system's are."""

    model_config = ConfigDict(hide_input_in_errors=True)

    credentials: CredentialsSettings


def credentials(session: aiohttp.ClientSession, **settings: object) -> Credentials:
    """Make credentials of a system called crm."""
    return make_credentials(session, "crm", Holder.model_validate({"credentials": settings}).credentials)


def token(text: str = "token-1", **more: object) -> Answer:
    return Answer(body=json.dumps({"access_token": text, "token_type": "Bearer", **more}).encode())


def refusal(status: int, error: str, **headers: str) -> Answer:
    body = json.dumps({"error": error, "error_description": f"the client {SECRET} is bad"}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def form(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode(), strict_parsing=True).items()}


def sent_tokens(server: Remote) -> list[str]:
    return [asked.headers["Authorization"].removeprefix("Bearer ") for asked in server.asked]


def oauth(session: aiohttp.ClientSession, url: str, **more: object) -> Credentials:
    """Credentials that fetch tokens with a secret."""
    return credentials(
        session,
        type="oauth_client_credentials",
        token_url=f"{url}/token",
        **{"client_id": "me", "client_secret": SECRET, **more},
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
