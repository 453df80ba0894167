"""Whether what jobs deliver would reach the engine: it is asked as a delivery asks it, for a conversation of nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from action_server.config.settings import Settings
from action_server.delivery.opening import open_engine
from action_server.doctor import delivery_rules as rules
from action_server.doctor.endpoints_file import EndpointsFile
from action_server.doctor.probes import reason_of
from action_server.errors import DeliveryError, SettingsError
from action_server.findings.finding import Finding
from action_server.jobs.finding import find_jobs

# The engine makes its tracker up for the answer, and keeps none [run, Rasa Open Source 3.6.21].
_NOBODY = "action-server-doctor"
_REFUSALS = (401, 403)


async def ask_delivery_engine(settings: Settings, file: EndpointsFile, patience: float) -> AsyncIterator[Finding]:
    """Ask the engine of the setting ``delivery``, if the package has a job that could deliver something."""
    delivery = settings.delivery
    if delivery.engine is None or not find_jobs(settings.actions):
        return
    has_credential = bool(delivery.token or delivery.jwt_secret)
    secret = file.setting("delivery.jwt_secret" if delivery.jwt_secret else "delivery.token")
    try:
        async with open_engine(delivery.model_copy(update={"timeout": patience})) as engine:
            await engine.conversation(_NOBODY)
    except DeliveryError as exc:
        if exc.status in _REFUSALS:
            what = "it is not the engine's" if has_credential else "none is set, and it asks for one"
            yield Finding.of(rules.DELIVERY_REFUSED, secret, reason=what)
        else:
            yield Finding.of(rules.DELIVERY_UNREACHABLE, file.setting("delivery.engine"), reason=_reason(exc, patience))
    except SettingsError:
        yield Finding.of(rules.DELIVERY_REFUSED, secret, reason="its file is missing, empty or unreadable")


def _reason(error: DeliveryError, patience: float) -> str:
    # The error's own words name the host, and reports are sent around.
    if error.status:
        return f"it is answered with {error.status}"
    cause = error.__cause__
    if isinstance(cause, (asyncio.TimeoutError, TimeoutError)) or cause is None:
        return reason_of(TimeoutError(), patience) if cause else "what is there answers no tracker"
    return reason_of(cause, patience)
