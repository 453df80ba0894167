"""Compares Rasa's ``action_endpoint`` with this server's settings, and says what will fail between them at run time.

No finding quotes a value of the files, not even a host: urls, headers and parameters hold credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from action_server.config.settings import Settings
from action_server.doctor import endpoint_checks, mcp_checks, probes, server_checks, storage_checks, tls
from action_server.doctor.delivery_checks import ask_delivery_engines, check_engine_name
from action_server.doctor.endpoint import Endpoint
from action_server.doctor.endpoints_file import endpoints_file_of
from action_server.doctor.proxy_probes import Expected, expected_of
from action_server.findings.finding import Finding, by_severity
from action_server.runtime.loader import LoadedPackage
from action_server.security.auth import Authenticator


@dataclass(frozen=True)
class Examination:
    """What will fail, errors first; and what each opened service says that it understood, in lines, by name."""

    findings: Sequence[Finding]
    descriptions: Mapping[str, Sequence[str]]


def examine(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    url: str | None = None,
    engine: str | None = None,
    online: bool = False,
    patience: float = probes.PATIENCE,
) -> Examination:
    """Return what will fail, and what services understood.

    ``url`` stands for the endpoint's own; ``engine`` is asked if given. Without ``online`` and ``engine`` nothing is
    asked for over a network and no service is opened. Each request may take ``patience`` seconds.

    Raises:
        SettingsError: a file cannot be read.
    """
    file = endpoints_file_of(settings)
    endpoint = Endpoint(file, environment, url)
    authenticator = Authenticator(settings.auth)
    findings = [*_check_endpoint(endpoint, settings, authenticator)]
    findings += server_checks.check_settings(settings, file, endpoint, has_auth=authenticator.enabled)
    findings += server_checks.check_tracing(file)
    loaded = server_checks.load_package(settings)
    package = loaded if isinstance(loaded, LoadedPackage) else None
    findings += [loaded] if isinstance(loaded, Finding) else []
    findings += server_checks.check_timeouts(settings, file, package)
    findings += server_checks.check_tool_timeouts(settings, file, endpoint, package)
    findings += mcp_checks.check_mcp_servers(settings, file, endpoint)
    findings += [*mcp_checks.check_tools(settings, package), *check_engine_name(settings, file, package)]
    opened = probes.OpenedServices()
    if online and package is not None:
        opened = asyncio.run(probes.open_services(settings, package))
    findings += storage_checks.check_storage(settings, file, package, environment, opened.kept)
    findings += opened.findings
    expected = expected_of(settings, package) if online else None
    findings += asyncio.run(_ask(endpoint, engine, expected, online=online, patience=patience))
    if online and package is not None:
        findings += asyncio.run(_all(ask_delivery_engines(settings, file, patience)))
    return Examination(by_severity(findings), opened.descriptions)


def _check_endpoint(endpoint: Endpoint, settings: Settings, authenticator: Authenticator) -> Iterator[Finding]:
    # First, as what cannot be read is no finding: the server does not start with it.
    server = tls.server_context(settings)
    yield from endpoint_checks.check_shape(endpoint)
    if endpoint.runs_in_engine:
        return
    yield from endpoint_checks.check_url(endpoint, settings)
    if endpoint.target:
        yield from tls.check_transport(endpoint, endpoint.target, settings, server)
        yield from endpoint_checks.check_headers(endpoint, endpoint.target)
        yield from endpoint_checks.check_credentials(endpoint, endpoint.target, authenticator)


async def _ask(
    endpoint: Endpoint,
    engine: str | None,
    expected: Expected | None,
    *,
    online: bool,
    patience: float,
) -> list[Finding]:
    findings: list[Finding] = []
    if online and endpoint.target and not endpoint.runs_in_engine:
        if endpoint.target.is_grpc:
            asked = probes.ask_grpc(endpoint, endpoint.target, patience)
        else:
            asked = probes.ask_http(endpoint, endpoint.target, patience, expected)
        findings += await _all(asked)
    if engine:
        findings += await _all(probes.ask_engine(engine, patience))
    return findings


async def _all(found: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in found]
