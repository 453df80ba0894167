"""Every setting of the server: flag, then environment, then ``action_server:`` of endpoints.yml, then default.

The model below is the only list of them: the flags, ``--help`` and the reference page are made from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from action_server.config.checked_fields import CheckedFields
from action_server.config.environment import process_environment
from action_server.config.flags import Flag, add_flag_of, flag_of
from action_server.config.merge import merge
from action_server.config.problems import refuse_incomplete, refuse_useless_over_grpc, settings_error
from action_server.config.sources import Found, file_exists, find_in_block, find_in_environment
from action_server.endpoints import Endpoints, endpoints_of, read_endpoints
from action_server.errors import SettingsError
from action_server.runtime.disconnects import OnDisconnect
from action_server.runtime.limits import Limits, RequestLimits, SyncThread
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.tool_options import McpSettings
from action_server.security.auth import AuthSettings
from action_server.security.secrets import Secrets, one_text
from action_server.security.tls import TlsFiles, complete_tls
from action_server.telemetry.logs import LogFormat, LogSettings
from action_server.telemetry.record_settings import RecordSettings

DEFAULT_ENDPOINTS = "endpoints.yml"


class Settings(CheckedFields, BaseModel):
    """The settings of one server. Sizes are in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    actions: Annotated[
        str,
        Flag(("--actions", "--actions-module")),
        Field(description="package or module of your actions, in dots: `actions` or `bot.actions`"),
    ] = "actions"
    host: Annotated[
        str, Flag(("--host",), "SANIC_HOST"), Field(description="address to listen on; 0.0.0.0 is every network")
    ] = "0.0.0.0"  # noqa: S104 - rasa-sdk's default; an engine in another container has to reach it
    port: Annotated[
        int, Flag(("-p", "--port")), Field(ge=0, le=65535, description="port to listen on; 0 takes a free one")
    ] = 5055
    workers: Annotated[
        int,
        Flag(("--workers",), "ACTION_SERVER_SANIC_WORKERS"),
        Field(ge=1, le=256, description="worker processes"),
    ] = 1
    sync_workers: Annotated[
        int,
        Flag(("--sync-workers",)),
        Field(ge=1, le=1000, description="threads for synchronous actions and validators, in each worker"),
    ] = 40
    sync_thread: Annotated[
        SyncThread,
        Flag(("--sync-thread",)),
        Field(
            description="where synchronous code runs: `pool` is the threads of `sync_workers`, `import` the one thread "
            "that imported it, `auto` that one if `sync_workers` is 1 or an sqlite3 connection is found that is bound "
            "to it"
        ),
    ] = "auto"
    strict: Annotated[
        bool, Flag(("--strict",)), Field(description="refuse to start when two actions share one name")
    ] = False
    cors: Annotated[
        tuple[str, ...],
        Flag(("--cors",)),
        Field(description="origins that browsers may call from; * is all of them"),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Flag(("--trusted-proxies",)),
        Field(description="proxies whose Forwarded or X-Forwarded-For tells the log who called, such as 10.0.0.0/8"),
    ] = ()
    ssl_certificate: Annotated[
        Path | None, Flag(("--ssl-certificate",)), Field(description="TLS certificate chain, a PEM file")
    ] = None
    ssl_keyfile: Annotated[
        Path | None, Flag(("--ssl-keyfile",)), Field(description="private key of the certificate, a PEM file")
    ] = None
    ssl_password: Annotated[
        SecretStr | None, Flag(("--ssl-password",)), Field(description="password of the private key")
    ] = None
    ssl_ca_file: Annotated[
        Path | None,
        Flag(("--ssl-ca-file",)),
        Field(description="the CA that signs the certificates clients must show, a PEM file"),
    ] = None
    endpoints: Annotated[
        Path, Flag(("--endpoints",)), Field(description="Rasa's endpoints file; its `action_server:` is read")
    ] = Path(DEFAULT_ENDPOINTS)
    auto_reload: Annotated[
        bool, Flag(("--auto-reload",)), Field(description="start new workers when a file of the project changes")
    ] = False
    dev: Annotated[
        bool,
        Flag(("--dev",)),
        Field(description="for development: --auto-reload, and the log level DEBUG if none is set"),
    ] = False
    grpc: Annotated[bool, Flag(("--grpc",)), Field(description="serve gRPC instead of HTTP")] = False
    log_level: Annotated[
        str, Flag(("--log-level",)), Field(description="DEBUG, INFO, WARNING or ERROR; -v, -vv and --quiet set it too")
    ] = "INFO"
    log_level_libraries: Annotated[
        str,
        Flag(("--log-level-libraries",), "LOG_LEVEL_LIBRARIES"),
        Field(description="the level of Sanic, SQLAlchemy and other libraries"),
    ] = "ERROR"
    log_levels: Annotated[
        dict[str, str], Field(description="levels of single loggers by name, such as `my.bot: DEBUG`")
    ] = {}
    log_format: Annotated[
        LogFormat, Flag(("--log-format",)), Field(description="console for people, json for machines")
    ] = "console"
    log_file: Annotated[Path | None, Flag(("--log-file",)), Field(description="write the log to this file as well")] = (
        None
    )
    logging_config_file: Annotated[
        Path | None,
        Flag(("--logging-config_file", "--logging-config-file")),
        Field(description="a YAML file for Python's logging.config, instead of the --log-... settings"),
    ] = None
    max_request_bytes: Annotated[
        int,
        Flag(("--max-request-bytes",)),
        Field(ge=1024, description="largest request body, before and after it is inflated"),
    ] = 32 * 1024 * 1024
    max_bytes_in_flight: Annotated[
        int,
        Flag(("--max-bytes-in-flight",)),
        Field(ge=1024 * 1024, description="bodies of all requests together, in each worker; more are refused with 503"),
    ] = 256 * 1024 * 1024
    max_domains: Annotated[
        int,
        Flag(("--max-domains",)),
        Field(ge=1, description="how many domains (assistants, model versions) a worker remembers"),
    ] = 16
    max_json_depth: Annotated[
        int,
        Flag(("--max-json-depth",)),
        Field(ge=8, le=500, description="how deep objects and lists of a request may be nested"),
    ] = 100
    max_header_bytes: Annotated[
        int, Flag(("--max-header-bytes",)), Field(ge=1024, description="largest request line and headers together")
    ] = 16 * 1024
    header_timeout: Annotated[
        float,
        Flag(("--header-timeout",)),
        Field(gt=0, description="seconds a client may take to send the headers of a request"),
    ] = 15.0
    body_timeout: Annotated[
        float,
        Flag(("--body-timeout",)),
        Field(gt=0, description="seconds a client may take to send the body of a request"),
    ] = 30.0
    timeout: Annotated[
        float,
        Flag(("--timeout",)),
        Field(gt=0, le=300, description="seconds an action may take, waiting included; engines give up after 300"),
    ] = 30.0
    on_disconnect: Annotated[
        OnDisconnect,
        Flag(("--on-disconnect",)),
        Field(description="what a running action does when its caller leaves: `finish`, or `cancel` if it is async"),
    ] = "finish"
    max_calls: Annotated[
        int, Flag(("--max-calls",)), Field(ge=1, description="calls that run at once, in each worker")
    ] = 500
    max_queue: Annotated[
        int,
        Flag(("--max-queue",)),
        Field(ge=0, description="calls that wait for their turn, in each worker; more are refused with 503"),
    ] = 2000
    queue_timeout: Annotated[
        float,
        Flag(("--queue-timeout",)),
        Field(ge=0, description="seconds a call waits for its turn before it is refused with 503"),
    ] = 10.0
    grace: Annotated[
        float,
        Flag(("--grace",)),
        Field(ge=0, description="seconds that running calls may take to finish when the server stops"),
    ] = 30.0
    drain_delay: Annotated[
        float,
        Flag(("--drain-delay",)),
        Field(ge=0, description="seconds that calls are still taken for after SIGTERM, while /ready says 503"),
    ] = 5.0
    start_timeout: Annotated[
        float,
        Flag(("--start-timeout",)),
        Field(gt=0, description="seconds a worker may take to start; it waits for a database that is down"),
    ] = 120.0
    max_blocked: Annotated[
        float,
        Flag(("--max-blocked",)),
        Field(ge=0, description="replace a worker that has answered nothing for so many seconds; 0 never does"),
    ] = 60.0
    metrics: Annotated[
        bool, Flag(("--metrics",)), Field(description="count calls and answer GET /metrics for Prometheus")
    ] = True
    watchdog: Annotated[
        float,
        Flag(("--watchdog",)),
        Field(ge=0, description="name code that keeps the event loop busy for longer than this; 0 switches it off"),
    ] = 0.1
    database: Annotated[
        str | None,
        Flag(("--database",)),
        Field(
            description="for actions that run once: a file, or an URL of SQLAlchemy; default: in the user's data folder"
        ),
    ] = None
    database_password: Annotated[
        Secrets, Field(description="password of a PostgreSQL `database`, a text or `file: <path>`; not in the URL then")
    ] = ()
    record: Annotated[
        Path | None, Flag(("--record",)), Field(description="write calls into this folder, to replay them; masked")
    ] = None
    record_sample: Annotated[
        float, Flag(("--sample",)), Field(gt=0, le=1, description="the part of calls that is recorded, such as 0.1")
    ] = 1.0
    record_on_error: Annotated[bool, Flag(("--on-error",)), Field(description="record only calls that fail (5xx)")] = (
        False
    )
    record_files: Annotated[
        int, Flag(("--record-files",)), Field(ge=1, description="recorded calls to keep; the oldest go first")
    ] = 1000
    record_mask: Annotated[
        tuple[str, ...],
        Flag(("--record-mask",)),
        Field(description="slots whose values are hidden in recordings, beside those of `privacy: rules:`"),
    ] = ()
    action_options: Annotated[
        dict[str, ActionOptions],
        Field(description="options of single actions by name or pattern; written `actions:` in endpoints.yml"),
    ] = {}
    auth: Annotated[
        AuthSettings,
        Field(description="credentials that open the server, see howto/authenticate.md; none: open to all"),
    ] = AuthSettings()
    services: Annotated[
        dict[str, Any],
        # Tokens stand in it.
        Field(repr=False, description="settings of the actions' own services; handed to the package's lifespan"),
    ] = {}
    domain: Annotated[
        Path | None,
        Flag(("--domain",)),
        Field(description="the assistant's domain, a file or folder: types of slots, and responses, of tools"),
    ] = None
    mcp: Annotated[
        McpSettings,
        Field(description="which actions are tools at POST /mcp, see howto/offer-actions-as-tools.md; none: no tools"),
    ] = McpSettings()

    # Not a setting: what `--set` gave of those of the services.
    _given_services: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    # Not a setting: nobody sets blocks by a flag or a variable, they come with the file.
    _blocks: Endpoints = PrivateAttr(default_factory=Endpoints)

    @property
    def blocks(self) -> Endpoints:
        """The blocks of the endpoints file, read together with these settings."""
        return self._blocks

    def with_blocks(self, blocks: Endpoints) -> Settings:
        """Return the same settings with these blocks."""
        changed = self.model_copy()
        changed._blocks = blocks
        return changed

    @property
    def given_services(self) -> Mapping[str, Any]:
        """The services' settings that a flag gave: one of them that no service reads is an error."""
        return self._given_services

    def with_services(self, services: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
        """Return the same settings with these of the services, of which a flag gave ``given``."""
        changed = self.model_copy(update={"services": services})
        changed._given_services = given
        return changed

    @property
    def tls(self) -> TlsFiles | None:
        """What TLS is spoken with, None without. Raises :class:`SettingsError` if it is half set."""
        password = self.ssl_password.get_secret_value() if self.ssl_password else None
        return complete_tls(self.ssl_certificate, self.ssl_keyfile, password, self.ssl_ca_file)

    def read_database_password(self) -> str:
        """Return the database's password, read from its file if it stands there. Raises :class:`SettingsError`."""
        return one_text(self.database_password, "database_password")

    @property
    def limits(self) -> Limits:
        """What each worker may do at once."""
        return Limits(self.sync_workers, self.max_domains, self.max_calls, self.max_queue, self.queue_timeout)

    @property
    def request_limits(self) -> RequestLimits:
        """What a request may be."""
        return RequestLimits(
            self.max_request_bytes,
            self.max_header_bytes,
            self.max_json_depth,
            self.header_timeout,
            self.body_timeout,
            self.max_bytes_in_flight,
        )

    @property
    def options(self) -> OptionsTable:
        """The options of every action."""
        return OptionsTable(ActionOptions(timeout=self.timeout, on_disconnect=self.on_disconnect), self.action_options)

    @property
    def recording(self) -> RecordSettings | None:
        """What is recorded of calls, if anything is."""
        how = (self.record_sample, self.record_on_error, self.record_files, self.record_mask)
        return RecordSettings(self.record, *how) if self.record else None

    @property
    def logs(self) -> LogSettings:
        """How the processes of this server log."""
        return LogSettings(
            self.log_level,
            self.log_level_libraries,
            self.log_format,
            self.log_file,
            self.logging_config_file,
            tuple(self.log_levels.items()),
        )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting that has one, and rasa-sdk's short forms for the log level."""
    for name in Settings.model_fields:
        add_flag(parser, name)
    levels = (("-v", "--verbose", "INFO"), ("-vv", "--debug", "DEBUG"), ("--quiet", "WARNING"))
    for *names, level in levels:
        parser.add_argument(*names, dest="log_level", action="store_const", const=level, help=f"log level {level}")


def add_flag(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the flag of one setting, if it has one."""
    add_flag_of(parser, name, Settings.model_fields[name])


def read(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """Put the settings together. ``flags`` are argparse's, None where a flag was not given.

    ``environment`` are the variables that count; those of this process if it is None.

    Raises:
        SettingsError: an entry is wrong; the message names the flag, the variable or the file's entry.
    """
    variables = process_environment() if environment is None else environment
    given = {name: value for name, value in flags.items() if value is not None and name in Settings.model_fields}
    from_environment = find_in_environment(variables, Settings.model_fields)
    blocks = _read_blocks(given.get("endpoints"), from_environment, variables)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for found in (find_in_block(blocks.action_server, Settings.model_fields), from_environment):
        for name, (origin, value) in found.items():
            values[name] = merge(values.get(name), value)
            origins[name] = origin
    for name, value in given.items():
        values[name] = value
        flag = flag_of(Settings.model_fields[name])
        origins[name] = flag.names[-1] if flag else name
    if values.get("dev") in (True, "true", "1"):
        values = {"log_level": "DEBUG", **values, "auto_reload": True}
    try:
        settings = Settings(**values).with_blocks(blocks)
    except ValidationError as exc:
        raise settings_error(exc, Settings.model_fields, origins) from None
    refuse_incomplete(settings, origins)
    refuse_useless_over_grpc(settings, {name: origins[name] for name in given})
    return settings


def _read_blocks(flag: Any, from_environment: Found, environment: Mapping[str, str]) -> Endpoints:
    """Read the file that a flag or a variable names; the default one may be missing."""
    origin, path = ("--endpoints", flag) if flag is not None else from_environment.get("endpoints", ("", None))
    if path is not None and not file_exists(Path(path)):
        raise SettingsError(origin, f"there is no file {path}")
    file = Path(DEFAULT_ENDPOINTS) if path is None else Path(path)
    return read_endpoints(file, environment) if file_exists(file) else endpoints_of(None, str(file), environment)
