"""What is wrong with this server's settings, its tracing and its package of actions."""

from __future__ import annotations

from collections.abc import Iterator

import rasa_sdk

from action_server.config.settings import Settings
from action_server.doctor import server_rules as rules
from action_server.doctor.endpoint import Endpoint, Target, target_of
from action_server.doctor.endpoints_file import EndpointsFile
from action_server.errors import LoadError, RegistrationError
from action_server.findings.finding import Finding
from action_server.runtime import loader
from action_server.security.auth import is_public
from action_server.source import Place, parse_place
from action_server.tools.offer import read_offer

# Seconds: engines wait no longer for an action, keep the lock of a conversation, and Kubernetes waits for a pod's end.
_ENGINE_TIMEOUT, _LOCK_TIMEOUT, _POD_TIMEOUT = 300, 60, 30
_LARGE_REQUEST = 5_000_000
# What engines give a tool of MCP unless its entry says otherwise, in seconds.
_TOOL_TIMEOUT = 10
_TESTED_SDK = ("3", "21")


def check_settings(settings: Settings, file: EndpointsFile, endpoint: Endpoint, *, has_auth: bool) -> Iterator[Finding]:
    """Check the settings against what engines, Kubernetes and the network do."""
    # Every project begins with an engine on the same machine and rasa-sdk's 0.0.0.0: the server says so when it starts.
    # Here it is said where somebody chose the address, or where the engine is elsewhere.
    is_chosen = "host" in settings.model_fields_set or (endpoint.target is not None and not endpoint.target.is_local)
    if is_public(settings.host) and is_chosen and not has_auth:
        yield Finding.of(rules.PUBLIC_WITHOUT_AUTH, file.setting("host"))
    if settings.queue_timeout > settings.timeout:
        yield Finding.of(rules.QUEUE_TIMEOUT, file.setting("queue_timeout"))
    # The defaults are longer as well; docs and chart say so, and a note in every project would be read by nobody.
    chosen = [name for name in ("grace", "drain_delay") if name in settings.model_fields_set]
    if chosen and settings.drain_delay + settings.grace > _POD_TIMEOUT:
        stop = f"{settings.drain_delay:g} s of drain_delay and {settings.grace:g} s of grace"
        yield Finding.of(rules.GRACE_KUBERNETES, file.setting(chosen[0]), stop=stop)
    if settings.max_request_bytes < _LARGE_REQUEST:
        yield Finding.of(rules.REQUEST_SIZE, file.setting("max_request_bytes"))
    if tuple(rasa_sdk.__version__.split(".")[:2]) != _TESTED_SDK:
        yield Finding.of(rules.SDK_VERSION, Place(key="rasa-sdk"), version=rasa_sdk.__version__)


def check_tool_timeouts(
    settings: Settings, file: EndpointsFile, endpoint: Endpoint, package: loader.LoadedPackage | None
) -> Iterator[Finding]:
    """Check whether engines that call this server's actions as tools wait as long as these may take.

    Raises:
        StartupError: the tools cannot be made, so that the server does not start.
    """
    if package is None:
        return
    offer = read_offer(package.registry, settings.mcp, settings.options, settings.domain)
    longest = max((tool.patience or 0 for tool in offer.tools.values()), default=0)
    servers = settings.blocks.mcp_servers.written
    for index, entry in enumerate(servers if isinstance(servers, list) else ()):
        target = target_of(str(entry.get("url", ""))) if isinstance(entry, dict) else None
        if target is None or not is_this_server(target, endpoint, settings):
            continue
        patience = entry.get("tool_timeout", _TOOL_TIMEOUT)
        if isinstance(patience, (int, float)) and longest > patience:
            at = file.at(f"mcp_servers[{index}]")
            yield Finding.of(rules.TIMEOUT_TOOL, at, seconds=f"{longest:g}", patience=f"{patience:g}")


def is_this_server(target: Target, endpoint: Endpoint, settings: Settings) -> bool:
    """Tell whether an address is that of this server: the one of `action_endpoint`, or its port on this machine."""
    called = endpoint.target
    same = called is not None and (target.host, target.port) == (called.host, called.port)
    return same or (target.is_local and target.port == settings.port_of(grpc=target.is_grpc))


def check_tracing(file: EndpointsFile) -> Iterator[Finding]:
    """Check what rasa-sdk's tracing, which reads the same block, would do with it."""
    block = file.tracing
    if block is None:
        return
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in ("jaeger", "otlp"):
        yield Finding.of(rules.TRACING_TYPE, file.at("tracing.type"))
    elif kind == "otlp" and isinstance(block, dict) and not block.get("endpoint"):
        yield Finding.of(rules.TRACING_ENDPOINT, file.at("tracing.endpoint"))


def load_package(settings: Settings) -> loader.LoadedPackage | Finding:
    """Import the package of actions as the server does; return the finding if that fails."""
    try:
        return loader.load(settings.actions, strict=settings.strict)
    except (LoadError, RegistrationError) as exc:
        # The text of somebody else's error may quote anything.
        is_known = exc.__cause__ is None or isinstance(exc.__cause__, (ImportError, SyntaxError))
        problem = str(exc).removeprefix(f"{exc.place}: ") if is_known else f"raises {type(exc.__cause__).__name__}"
        return Finding.of(rules.ACTIONS_IMPORT, place_in_code(exc.place), problem=problem)


def place_in_code(text: str) -> Place:
    """Return the place that an error names, ``file:line`` or the module of something without a source."""
    return parse_place(text) or Place(key=text)


def check_timeouts(settings: Settings, file: EndpointsFile, package: loader.LoadedPackage | None) -> Iterator[Finding]:
    """Check the time limit of all actions, and of those that have one of their own in the file or in the code."""
    limits = [(file.setting("timeout"), "actions", settings.timeout)]
    for name, options in settings.action_options.items():
        limits.append((file.at(f"action_server.actions.{name}.timeout"), name, options.timeout or 0))
    known = {seconds for _, _, seconds in limits}
    for action in package.registry if package else ():
        # Another one can only come from the code.
        seconds = settings.options.of(action.name, action.run).timeout or 0
        if seconds not in known:
            limits.append((place_in_code(action.place), action.name, seconds))
    for place, what, seconds in limits:
        if seconds > _LOCK_TIMEOUT:
            rule = rules.TIMEOUT_ENGINE if seconds >= _ENGINE_TIMEOUT else rules.TIMEOUT_LOCK
            yield Finding.of(rule, place, what=what, seconds=f"{seconds:g}")
