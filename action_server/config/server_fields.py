"""The settings of what is served, and where: the first group of the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from action_server.config.flags import Flag
from action_server.runtime.limits import SyncThread
from action_server.security.tls import TlsFiles, complete_tls

DEFAULT_ENDPOINTS = "endpoints.yml"


class ServerFields(BaseModel):
    """The actions, the address and who may call it, TLS, and how the server works."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

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
        Flag(("--cors",), value="ORIGIN"),
        Field(description="origins that browsers may call from; * is all of them"),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Flag(("--trusted-proxies",), value="ADDRESS"),
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
        Field(description="for development: --auto-reload, /inspector, and the log level DEBUG if none is set"),
    ] = False
    inspector: Annotated[
        bool,
        Flag(("--inspector",)),
        Field(
            description="serve /inspector without --dev, read-only, with auth; see `action-server help see-every-call`"
        ),
    ] = False
    grpc: Annotated[bool, Flag(("--grpc",)), Field(description="serve gRPC instead of HTTP")] = False
    grpc_port: Annotated[
        int | None,
        Flag(("--grpc-port",)),
        Field(ge=0, le=65535, description="port to serve gRPC on, beside HTTP; 0 takes a free one"),
    ] = None
    monitoring_port: Annotated[
        int | None,
        Flag(("--monitoring-port",)),
        Field(ge=0, le=65535, description="port for /health, /ready and /metrics beside --grpc; 0 takes a free one"),
    ] = None
    join_chunks: Annotated[
        bool,
        Flag(("--join-chunks",)),
        Field(description="where nothing streams (HTTP, MCP), make one message of a stream's chunks, not one of each"),
    ] = False

    @property
    def has_grpc(self) -> bool:
        """Whether gRPC is served, alone or beside HTTP."""
        return self.grpc or self.grpc_port is not None

    @property
    def transports(self) -> tuple[str, ...]:
        """What calls are taken over: http, grpc."""
        return tuple(name for name in ("http", "grpc") if self.port_of(grpc=name == "grpc") is not None)

    def port_of(self, *, grpc: bool) -> int | None:
        """Return the port that calls are taken at, over gRPC or HTTP; None if they are not taken so."""
        if grpc:
            return self.port if self.grpc else self.grpc_port
        return None if self.grpc else self.port

    @property
    def http_port(self) -> int | None:
        """The port of HTTP; None if only gRPC is served."""
        return self.monitoring_port if self.grpc else self.port

    @property
    def tls(self) -> TlsFiles | None:
        """What TLS is spoken with, None without. Raises :class:`SettingsError` if it is half set."""
        password = self.ssl_password.get_secret_value() if self.ssl_password else None
        return complete_tls(self.ssl_certificate, self.ssl_keyfile, password, self.ssl_ca_file)
