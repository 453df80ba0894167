"""Requests to other systems, which nobody else sends: a `Transport` for each system, one session for each worker."""

from __future__ import annotations

from actions.transport.address import BaseUrl
from actions.transport.credential_settings import CredentialsSettings, make_credentials
from actions.transport.credentials import Credentials, NoCredentials
from actions.transport.models import JsonObject, Response, TransportSettings
from actions.transport.session import open_session
from actions.transport.transport import Transport

__all__ = [
    "BaseUrl",
    "Credentials",
    "CredentialsSettings",
    "JsonObject",
    "NoCredentials",
    "Response",
    "Transport",
    "TransportSettings",
    "make_credentials",
    "open_session",
]
