"""What is wrong with settings: what pydantic refuses, in our words, and what does nothing without another setting."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from action_server.config.sources import file_exists, no_such_setting
from action_server.errors import SettingsError
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings
from action_server.runtime.limits import SyncThread
from action_server.runtime.options import ActionOptions
from action_server.security.auth import AuthSettings, BasicSettings, JwtSettings
from action_server.security.secrets import Secrets
from action_server.security.tls import TlsFiles

# What gRPC does not read. In a file that servers of both kinds share they may stand, a flag is a mistake.
ONLY_OVER_HTTP = ("cors", "metrics", "max_header_bytes", "header_timeout", "body_timeout")


class Checked(Protocol):
    """The settings that are looked at here."""

    logging_config_file: Path | None
    log_file: Path | None
    database: str | None
    database_password: Secrets
    max_request_bytes: int
    max_bytes_in_flight: int
    port: int
    grpc: bool
    grpc_port: int | None
    monitoring_port: int | None
    record: Path | None
    domain: Path | None
    dev: bool
    inspector: bool
    auth: AuthSettings

    sync_thread: SyncThread

    def port_of(self, *, grpc: bool) -> int | None:
        """As of the settings."""
        ...

    @property
    def http_port(self) -> int | None:
        """As of the settings."""
        ...

    @property
    def has_grpc(self) -> bool:
        """As of the settings."""
        ...

    @property
    def tls(self) -> TlsFiles | None:
        """As of the settings."""
        ...


def refuse_incomplete(settings: Checked, origins: Mapping[str, str]) -> None:
    """Raise for a setting that does nothing without another one: a half of what secures a server secures nothing.

    ``origins`` are where settings came from, by name.

    Raises:
        SettingsError: names where it was set, and what to do.
    """
    try:
        _ = settings.tls
    except SettingsError as exc:
        raise SettingsError(origins.get(exc.where, exc.where), exc.problem) from None
    if settings.grpc and settings.grpc_port is not None:
        problem = "does nothing beside --grpc, which serves gRPC on --port alone: leave one of the two out"
        raise SettingsError(origins.get("grpc_port", "grpc_port"), problem)
    if settings.monitoring_port is not None and not settings.grpc:
        problem = "does nothing without --grpc: HTTP answers /health, /ready and /metrics on --port"
        raise SettingsError(origins.get("monitoring_port", "monitoring_port"), problem)
    _refuse_one_port_for_two(settings, origins)
    _refuse_open_inspector(settings, origins)
    for name in ("log_file", "log_format", "log_levels"):
        if settings.logging_config_file is not None and name in origins:
            problem = "does nothing beside --logging-config-file: say it there, or leave one of the two out"
            raise SettingsError(origins[name], problem)
    for name in ("record_sample", "record_on_error", "record_files", "record_mask"):
        if settings.record is None and name in origins:
            raise SettingsError(origins[name], "does nothing without --record, the folder to write calls to")
    if settings.max_bytes_in_flight < settings.max_request_bytes:
        name = "max_bytes_in_flight" if "max_bytes_in_flight" in origins else "max_request_bytes"
        problem = (
            f"{settings.max_request_bytes} for one body is more than {settings.max_bytes_in_flight} for all of them"
        )
        problem += " (--max-request-bytes, --max-bytes-in-flight): such a body would never be taken"
        raise SettingsError(origins.get(name, name), problem)
    _refuse_wrong_database(settings.database or "", origins, has_password=bool(settings.database_password))


def _refuse_wrong_database(database: str, origins: Mapping[str, str], *, has_password: bool) -> None:
    if database and "://" not in database and Path(database).is_dir():
        # Opened where an action runs once: without one nobody would hear of it.
        raise SettingsError(origins.get("database", "database"), f"{database} is a folder: name a file in it")
    problem = _problem_of_password(database) if has_password else ""
    if problem:
        raise SettingsError(origins.get("database_password", "database_password"), problem)


def _refuse_open_inspector(settings: Checked, origins: Mapping[str, str]) -> None:
    if not settings.inspector:
        return
    origin = origins.get("inspector", "inspector")
    if settings.http_port is None:
        raise SettingsError(origin, "needs HTTP: set --monitoring-port beside --grpc")
    if not settings.dev and not settings.auth.model_fields_set:
        raise SettingsError(origin, "needs a credential: set `auth`, see `action-server help authenticate`")


def _refuse_one_port_for_two(settings: Checked, origins: Mapping[str, str]) -> None:
    for name, port in (("grpc_port", settings.grpc_port), ("monitoring_port", settings.monitoring_port)):
        # 0 is a free port for each.
        if port and port == settings.port:
            other = "gRPC" if settings.grpc else "HTTP"
            raise SettingsError(origins.get(name, name), f"is --port too, where {other} is: choose another one")


def _problem_of_password(database: str) -> str:
    if not database.startswith("postgres"):
        return "does nothing without a PostgreSQL database: set `database` too, or leave it out"
    try:
        has_another = urlsplit(database).password is not None
    except ValueError:
        # What is wrong with the URL is said when it is opened.
        return ""
    return "stands beside another one in the URL of `database`: leave one of the two out" if has_another else ""


def refuse_useless_flags(settings: Checked, flags: Mapping[str, str]) -> None:
    """Raise for a flag that gRPC does not read, or that names a domain which is not there.

    ``flags`` are those that were given, by the name of their setting.

    Raises:
        SettingsError: names the flag.
    """
    for name in ONLY_OVER_HTTP:
        if settings.grpc and settings.monitoring_port is None and name in flags:
            raise SettingsError(flags[name], "does nothing with gRPC, which has no pages and no headers of HTTP")
    if "barge_in_timeout" in flags and not settings.has_grpc:
        raise SettingsError(flags["barge_in_timeout"], "does nothing without gRPC, over which alone actions stream")
    if "join_chunks" in flags and settings.port_of(grpc=False) is None:
        raise SettingsError(flags["join_chunks"], "does nothing with gRPC alone, over which chunks are streamed")
    if "sync_workers" in flags and settings.sync_thread == "import":
        problem = "does nothing beside sync_thread: import, which is one thread: leave one of the two out"
        raise SettingsError(flags["sync_workers"], problem)
    if settings.domain is not None and "domain" in flags and not file_exists(settings.domain):
        raise SettingsError(flags["domain"], f"{settings.domain} cannot be read: No such file or directory")


def settings_error(exc: ValidationError, known: Collection[str], origins: Mapping[str, str]) -> SettingsError:
    """Return the error for what pydantic refused first; ``known`` are the names of all settings at the top."""
    first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
    name, *below = [str(part) for part in first["loc"]] or [""]
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = no_such_setting([name, *below][-1], _known_in_group(name, below) if below else known)
    return SettingsError(".".join([origins.get(name, name), *below]), problem)


def _known_in_group(name: str, below: Sequence[str]) -> Collection[str]:
    """Return the names there are where an unknown one was found below the top, in ``auth`` say."""
    groups: dict[str, type[BaseModel]] = {
        "auth": AuthSettings,
        "jwt": JwtSettings,
        "basic": BasicSettings,
        "delivery": DeliverySettings,
        "engines": EngineSettings,
    }
    inner = next((groups[part] for part in reversed([name, *below[:-1]]) if part in groups), ActionOptions)
    return inner.model_fields
