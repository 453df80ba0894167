"""The process: listens, and runs one worker itself or has several supervised."""

from __future__ import annotations

import errno
import logging
import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

from action_server.config import unread
from action_server.config.environment import process_environment
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.security.auth import Authenticator, is_public
from action_server.serving.extension import PATH, Extension
from action_server.serving.heartbeat import is_debugged
from action_server.serving.stopping.stop_signal import StopSignal
from action_server.serving.supervisor import Supervisor
from action_server.telemetry import hooks, logs
from action_server.telemetry.collectors import collectors_of
from action_server.telemetry.masking import read_rules

logger = logging.getLogger(__name__)

# Connections the kernel holds while all workers are busy starting; an engine opens one for each call.
_BACKLOG = 1024
_PORTS_NOBODY_IS_GIVEN, _TRIES = range(20_000, 32_000), 20
# What to do where an address cannot be had.
_LISTEN_HINTS = {
    errno.EADDRINUSE: "; stop the other server or choose another {flag}",
    errno.EADDRNOTAVAIL: "; this machine has no such address, 0.0.0.0 stands for all it has",
    errno.EACCES: "; choose a {flag} from 1024 on, smaller ones are for root",
    socket.EAI_NONAME: "; write an address of this machine, 0.0.0.0 stands for all it has",
}


def serve(
    settings: Settings,
    *,
    on_code: Callable[[], None] | None = None,
    read_again: Callable[[], Settings] | None = None,
    extension: Extension | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. ``on_code`` is called after each time that supervised workers start on new code.

    ``read_again`` reads the settings once more when a file has changed; without it a reload keeps them. ``extension``
    is added to what is served over HTTP.

    Raises:
        StartupError: the server cannot start.
    """
    logs.configure(settings.logs)
    hooks.install()
    # What is wrong with credentials, certificates and the engine's own blocks is said before a socket opens.
    if settings.tls is not None:
        settings.tls.context()
    collectors_of(settings.blocks.tracing)
    read_rules(settings.blocks.privacy)
    is_open = not Authenticator(settings.auth).enabled
    settings = _with_grpc_port(settings)
    unread.say(unread.unread_in_surroundings(settings, process_environment()))
    sock = None if settings.http_port is None else listen(settings.host, settings.http_port, _http_flag(settings))
    announce = partial(_announce, settings, sock, is_open, has_pages=extension is not None)
    if not _needs_supervisor(settings):
        # Here, as a supervisor has no use for it: a fifth of a second and 25 MB.
        from action_server.serving import worker

        stopping = StopSignal(signal.SIGTERM, signal.SIGINT)
        worker.run(settings, sock, announce, stopping, extension=extension)
    else:
        Supervisor(settings, sock, announce, on_code, read_again, extension).run()
    logger.info("server.stopped")


def _needs_supervisor(settings: Settings) -> bool:
    """Tell whether somebody has to start workers anew.

    One worker alone has a supervisor for :attr:`Settings.max_blocked`. It has none under a debugger, nor at a terminal
    if that setting is the default: ``breakpoint()`` in an action needs the terminal, and whoever sits there sees it.
    """
    if settings.workers > 1 or settings.auto_reload:
        return True
    is_chosen = "max_blocked" in settings.model_fields_set
    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    return settings.max_blocked > 0 and not is_debugged() and (is_chosen or not at_terminal)


def _with_grpc_port(settings: Settings) -> Settings:
    """Return the settings with a port for gRPC that is free.

    Workers share it, and so would another server that is there already: the kernel would give it half of the calls.

    Raises:
        SettingsError: it cannot be had.
    """
    if not settings.has_grpc:
        return settings
    name, wanted = ("port", settings.port) if settings.grpc else ("grpc_port", settings.grpc_port or 0)
    flag = f"--{name.replace('_', '-')}"
    with closing(listen(settings.host, wanted, flag) if wanted else _listen_anywhere(settings.host, flag)) as sock:
        return settings if wanted else settings.model_copy(update={name: sock.getsockname()[1]})


def _listen_anywhere(host: str, flag: str) -> socket.socket:
    """Listen on a port that is free and that no connection of others gets before gRPC listens there itself.

    Those get theirs from the kernel, above 32768 on Linux and above 49152 elsewhere.
    """
    for port in random.sample(_PORTS_NOBODY_IS_GIVEN, _TRIES):
        with suppress(SettingsError):
            return listen(host, port, flag)
    return listen(host, 0, flag)


def _http_flag(settings: Settings) -> str:
    return "--monitoring-port" if settings.grpc else "--port"


def listen(host: str, port: int, flag: str = "--port") -> socket.socket:
    """Open a listening socket. Raises :class:`SettingsError`, naming the ``flag``, when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        hint = _LISTEN_HINTS.get(exc.errno or 0, "").format(flag=flag)
        raise SettingsError(f"--host, {flag}", f"cannot listen on {host}:{port}: {exc.strerror}{hint}") from exc
    sock.setblocking(False)
    return sock


def url_of(settings: Settings, sock: socket.socket | None) -> str:
    """Return the address the server can be called at."""
    if sock is None or settings.grpc:
        return grpc_url_of(settings)
    host, port = sock.getsockname()[:2]
    scheme = "https" if settings.ssl_certificate else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def grpc_url_of(settings: Settings) -> str:
    """Return the address the server can be called at over gRPC; empty if it does not speak it."""
    port = settings.port if settings.grpc else settings.grpc_port
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return "" if port is None else f"grpc://{host}:{port}"


def _pages_url_of(settings: Settings, sock: socket.socket) -> str:
    """Return an address at which a browser of this machine finds the pages: it cannot go to "everywhere"."""
    host, port = sock.getsockname()[:2]
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"{'https' if settings.ssl_certificate else 'http'}://{name}:{port}{PATH}"


def _announce(settings: Settings, sock: socket.socket | None, is_open: bool, has_pages: bool) -> None:
    facts = {"url": url_of(settings, sock), "workers": settings.workers, "pid": os.getpid()}
    if settings.grpc and sock is not None:
        facts["monitoring_port"] = sock.getsockname()[1]
    elif settings.has_grpc and not settings.grpc:
        facts["grpc_url"] = grpc_url_of(settings)
    if has_pages and sock is not None:
        facts["pages"] = _pages_url_of(settings, sock)
    logger.info("server.ready", extra=facts)
    if is_open and is_public(settings.host):
        logger.warning(
            "server.open_to_everybody", extra={"host": settings.host, "see": "action-server help authenticate"}
        )
