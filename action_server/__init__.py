"""A drop-in custom action server for Rasa assistants."""

from __future__ import annotations

import importlib

# As of `typing`, which takes ten milliseconds: Ctrl-C in that time would be a traceback, as nothing of ours runs yet.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from action_server.database import Database
    from action_server.deadlines import time_left
    from action_server.errors import ActionServerError, DatabaseError, JobError
    from action_server.idempotency.rules import idempotent
    from action_server.jobs.asking import cancel, current_job, later
    from action_server.jobs.definitions import Job, job
    from action_server.jobs.keeping import keep_jobs
    from action_server.jobs.pick_up import ActionJobResult
    from action_server.jobs.signals import GiveUp, RetryLater
    from action_server.protocol.answers import Answer
    from action_server.protocol.calls import Call
    from action_server.runtime import services
    from action_server.runtime.functions import action
    from action_server.runtime.middleware import Next, middleware
    from action_server.runtime.options import action_options
    from action_server.runtime.registry import Registry
    from action_server.runtime.slots import Slots
    from action_server.runtime.tool_options import mcp
    from action_server.telemetry.logs import CallContext, current_call
    from action_server.telemetry.outbound import aiohttp_trace_config
    from action_server.telemetry.tracing import outbound_headers

__version__ = "0.1.0"

__all__ = [
    "ActionJobResult",
    "ActionServerError",
    "Answer",
    "Call",
    "CallContext",
    "Database",
    "DatabaseError",
    "GiveUp",
    "Job",
    "JobError",
    "Next",
    "Registry",
    "RetryLater",
    "Slots",
    "action",
    "action_options",
    "aiohttp_trace_config",
    "cancel",
    "current_call",
    "current_job",
    "idempotent",
    "job",
    "keep_jobs",
    "later",
    "mcp",
    "middleware",
    "outbound_headers",
    "services",
    "time_left",
]

# Where each of them lives. Looked up when it is asked for: nobody pays for what they do not use, `--help` for nothing.
_HOMES = {
    "ActionJobResult": "jobs.pick_up",
    "ActionServerError": "errors",
    "Answer": "protocol.answers",
    "Call": "protocol.calls",
    "CallContext": "telemetry.logs",
    "Database": "database",
    "DatabaseError": "errors",
    "GiveUp": "jobs.signals",
    "Job": "jobs.definitions",
    "JobError": "errors",
    "Next": "runtime.middleware",
    "Registry": "runtime.registry",
    "RetryLater": "jobs.signals",
    "Slots": "runtime.slots",
    "action": "runtime.functions",
    "action_options": "runtime.options",
    "aiohttp_trace_config": "telemetry.outbound",
    "cancel": "jobs.asking",
    "current_call": "telemetry.logs",
    "current_job": "jobs.asking",
    "idempotent": "idempotency.rules",
    "job": "jobs.definitions",
    "keep_jobs": "jobs.keeping",
    "later": "jobs.asking",
    "mcp": "runtime.tool_options",
    "middleware": "runtime.middleware",
    "outbound_headers": "telemetry.tracing",
    "services": "runtime.services",
    "time_left": "deadlines",
}

if not TYPE_CHECKING:  # or every name would be one of this package to mypy

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        found = globals()[name] = module if name == "services" else getattr(module, name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
