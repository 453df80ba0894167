"""What a running server takes from settings that were read again."""

from __future__ import annotations

from action_server.config.settings import Settings

# The socket is open, workers are counted and the file is watched already; these come into force with a restart.
NEED_RESTART = (
    "host",
    "port",
    "workers",
    "grpc",
    "grpc_port",
    "monitoring_port",
    "ssl_certificate",
    "ssl_keyfile",
    "ssl_password",
    "ssl_ca_file",
    "endpoints",
    "auto_reload",
    "dev",
    "metrics",
)


def take_over(running: Settings, read: Settings) -> tuple[Settings, list[str]]:
    """Return the settings a server goes on with, and the names of those that only a restart would change.

    Everything is as it was ``read``, the blocks of the endpoints file as well, but for these, which stay as they are.
    """
    kept = {name: getattr(running, name) for name in NEED_RESTART if getattr(running, name) != getattr(read, name)}
    # Any free port was asked for, and one was found.
    is_any = read.grpc and not read.port
    return read.model_copy(update=kept), sorted(name for name in kept if not (is_any and name == "port"))
