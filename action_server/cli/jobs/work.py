"""The verb `jobs work`: runs jobs without serving calls."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Any

from action_server.cli.flags import add_log_flag
from action_server.config import settings
from action_server.config.settings import Settings
from action_server.errors import SettingsError

if TYPE_CHECKING:
    from action_server.assembly import Assembly
    from action_server.runtime.executor import Executor
    from action_server.serving.stopping.stop_signal import StopSignal

DESCRIPTION = """\
Run jobs in this process, without serving calls, until SIGTERM or Ctrl-C: on any number of hosts where `database:` is
PostgreSQL. It takes the same settings as `run`. What is running when it stops gets 3 s, and is run elsewhere after
that; a second signal ends it at once. A job whose process is killed is taken over within 15 s.

With --metrics-port it answers GET /metrics, /health and /ready there, as a server does."""

logger = logging.getLogger(__name__)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    for name in ("actions", "endpoints", "database", "sync_workers", "log_format"):
        settings.add_flag(parser, name)
    add_log_flag(parser)
    settings.add_flag(parser, "host")
    parser.add_argument(
        "--metrics-port", type=int, metavar="N", help="count jobs, and answer GET /metrics on this port"
    )
    parser.add_argument("--concurrency", type=int, metavar="N", help="how many jobs are run at once (that of `jobs:`)")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run jobs until told to stop.

    Raises:
        StartupError: the settings are wrong, an action or a service cannot be made, or there is no job.
    """
    from action_server.serving.server import listen
    from action_server.serving.stopping.stop_signal import StopSignal
    from action_server.serving.worker import serve_on_loop
    from action_server.telemetry import logs

    read = settings.read(vars(args), environment)
    concurrency = read.jobs if args.concurrency is None else args.concurrency
    if concurrency < 1:
        raise SettingsError("--concurrency", "must be 1 or more")
    logs.configure(read.logs)
    stopping = StopSignal(signal.SIGTERM, signal.SIGINT)
    if args.metrics_port is None:
        serve_on_loop(_work(read, concurrency, None, stopping), stopping)
        return 0
    if not 0 <= args.metrics_port < 65536:
        raise SettingsError("--metrics-port", "must be a port from 0 to 65535")
    with closing(listen(read.host, args.metrics_port, "--metrics-port")) as sock:
        serve_on_loop(_work(read.model_copy(update={"metrics": True}), concurrency, sock, stopping), stopping)
    return 0


async def _work(read: Settings, concurrency: int, sock: socket.socket | None, stopping: StopSignal) -> Executor:
    from action_server.assembly import assemble, prepare
    from action_server.jobs.keeping import queues_of
    from action_server.jobs.opening import running_jobs

    async with assemble(read, prepared=prepare(read), patience=read.start_timeout) as assembly:
        opened = assembly.readiness.services
        if not queues_of(opened):
            raise SettingsError("actions", f"the package {read.actions} has no function marked @job")
        # Until now a signal ends the process: nothing runs yet, and a database that is down may be waited for.
        stopping.arm()
        executor, pages = assembly.executor, _pages(assembly, sock)
        seen: Any = {"metrics": assembly.metrics if sock is not None else None, "tracing": executor.tracing}
        async with running_jobs(read.actions, opened, executor.threads, concurrency, **seen), pages:
            port = {} if sock is None else {"metrics_port": sock.getsockname()[1]}
            logger.info("jobs.working", extra={"pid": os.getpid(), "concurrency": concurrency, **port})
            await stopping.wait()
            logger.info("jobs.stopping", extra={"pid": os.getpid()})
    return executor


def _pages(assembly: Assembly, sock: socket.socket | None) -> AbstractAsyncContextManager[object]:
    if sock is None:
        return nullcontext()
    from action_server.serving.worker import serve_http

    return serve_http(assembly, sock, "action_server_jobs", pages_only=True)
