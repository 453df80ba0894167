"""Requests to other systems: the only user of aiohttp. One `Transport` for each system, one session for each worker."""

from __future__ import annotations

from actions.transport.address import BaseUrl
from actions.transport.credential_settings import CredentialsSettings, make_credentials
from actions.transport.credentials import Credentials, NoCredentials
from actions.transport.models import Response, TransportSettings
from actions.transport.session import open_session
from actions.transport.transport import Transport

__all__ = [
    "BaseUrl",
    "Credentials",
    "CredentialsSettings",
    "NoCredentials",
    "Response",
    "Transport",
    "TransportSettings",
    "make_credentials",
    "open_session",
]
