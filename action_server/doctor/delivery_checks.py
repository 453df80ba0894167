"""Whether what jobs deliver would reach the engines: each is asked as a delivery asks, for a conversation of nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

from action_server.config.settings import Settings
from action_server.delivery.opening import open_engine
from action_server.doctor import delivery_rules as rules
from action_server.doctor.endpoints_file import EndpointsFile
from action_server.doctor.probes import reason_of
from action_server.errors import DeliveryError, SettingsError
from action_server.findings.finding import Finding
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings
from action_server.jobs.finding import find_jobs
from action_server.nearest import did_you_mean
from action_server.protocol.which_engine import HEADER, UNFIT, engine_named
from action_server.runtime.loader import LoadedPackage

# The engine makes its tracker up for the answer, and keeps none [run, Rasa Open Source 3.6.21].
_NOBODY = "action-server-doctor"
_REFUSALS = (401, 403)
# To a token that is signed by another method than its own [run, Rasa Open Source 3.6.21].
_OF_ANOTHER_METHOD = 500


def check_engine_name(settings: Settings, file: EndpointsFile, package: LoadedPackage | None) -> Iterator[Finding]:
    """Check the name by which the engine of this endpoints file would tell itself, if there is a job in the package."""
    endpoint = file.action_endpoint
    headers = endpoint.get("headers")
    told = headers if isinstance(headers, Mapping) else {}
    key = next((key for key in told if str(key).lower() == HEADER), None)
    # By its mark alone: whether the URL can be read is another rule's to say.
    query = str(endpoint.get("url") or "").partition("#")[0].partition("?")[2]
    name = engine_named([str(told[key])] if key is not None else [], query)
    engines = settings.delivery.engines
    # A variable is the engine's to read.
    is_known = not name or name in engines or (key is not None and "${" in str(told[key]))
    if is_known or package is None or not find_jobs(settings.actions):
        return
    place = "action_endpoint.url" if key is None else f"action_endpoint.headers.{key}"
    hint = "" if name == UNFIT else did_you_mean(name, engines)
    yield Finding.of(rules.DELIVERY_UNKNOWN_ENGINE, file.at(place), hint=hint)


async def ask_delivery_engines(settings: Settings, file: EndpointsFile, patience: float) -> AsyncIterator[Finding]:
    """Ask the engines of the setting ``delivery``, if the package has a job that could deliver something."""
    if not find_jobs(settings.actions):
        return
    for name, engine in settings.delivery.reached():
        async for finding in _ask(engine, name, file, patience):
            yield finding


async def _ask(settings: EngineSettings, name: str, file: EndpointsFile, patience: float) -> AsyncIterator[Finding]:
    given = next((one for one in ("jwt_secret", "jwt_private_key") if getattr(settings, one)), "token")
    secret = file.setting(DeliverySettings.place(name, given))
    try:
        async with open_engine(settings.model_copy(update={"timeout": patience}), name) as engine:
            await engine.conversation(_NOBODY)
    except DeliveryError as exc:
        if exc.status == _OF_ANOTHER_METHOD and settings.signs:
            what = "it is answered with 500, as by an engine with another --jwt-method; its log says whether that is it"
            yield Finding.of(rules.DELIVERY_REFUSED, secret, reason=what)
        elif exc.status in _REFUSALS:
            what = "it is not the engine's" if settings.token or settings.signs else "none is set, and it asks for one"
            yield Finding.of(rules.DELIVERY_REFUSED, secret, reason=what)
        else:
            place = file.setting(DeliverySettings.place(name, "engine"))
            yield Finding.of(rules.DELIVERY_UNREACHABLE, place, reason=_reason(exc, patience))
    except SettingsError:
        what = "its file is missing, empty or unreadable" + (", or no key for jwt_method" if settings.signs else "")
        yield Finding.of(rules.DELIVERY_REFUSED, secret, reason=what)


def _reason(error: DeliveryError, patience: float) -> str:
    # The error's own words name the host, and reports are sent around.
    if error.status:
        return f"it is answered with {error.status}"
    cause = error.__cause__
    if isinstance(cause, (asyncio.TimeoutError, TimeoutError)) or cause is None:
        return reason_of(TimeoutError(), patience) if cause else "what is there answers no tracker"
    return reason_of(cause, patience)
