"""The families of metrics there are: their names, labels and meanings, each an attribute of :class:`Families`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, get_type_hints

# Engines wait up to 300 s for an action.
_RUNNING = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WAITING = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_OUTBOUND = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Family:
    """One metric: its name, type, labels and meaning. ``across`` says how a gauge of several workers becomes one."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    across: Literal["livesum", "livemax"] = "livesum"


class Series(Protocol):
    """What prometheus_client's metrics have in common with what stands in for them when metrics are off."""

    def labels(self, *values: str) -> Series:
        """Return the series of a family with these values of its labels."""
        ...

    def inc(self, amount: float = 1) -> None:
        """Add to a counter or a gauge."""
        ...

    def dec(self, amount: float = 1) -> None:
        """Take from a gauge."""
        ...

    def set(self, value: float) -> None:
        """Set a gauge."""
        ...

    def observe(self, amount: float) -> None:
        """Count a value in a histogram."""
        ...


# Short meanings: prometheus_client makes them part of the key of every value. docs/ has the rest.
@dataclass(frozen=True)
class Families:
    """What one process counts with, a series or a family of them for each metric."""

    calls: Annotated[
        Series,
        Family("action_server_calls_total", "counter", ("action", "outcome", "transport"), "Calls that came to an end"),
    ]
    in_flight: Annotated[
        Series, Family("action_server_calls_in_flight", "gauge", ("action",), "Calls that are waiting or running now")
    ]
    queued: Annotated[
        Series, Family("action_server_calls_queued", "gauge", (), "Calls that are waiting for a thread or a turn now")
    ]
    waiting: Annotated[
        Series,
        Family(
            "action_server_call_waiting_seconds", "histogram", ("action",), "How long calls waited to run", _WAITING
        ),
    ]
    running: Annotated[
        Series, Family("action_server_call_running_seconds", "histogram", ("action",), "How long actions ran", _RUNNING)
    ]
    timeouts: Annotated[
        Series, Family("action_server_timeouts_total", "counter", ("action",), "Calls whose action ran out of time")
    ]
    threads: Annotated[
        Series, Family("action_server_threads", "gauge", (), "Threads there may be for synchronous code")
    ]
    threads_busy: Annotated[
        Series, Family("action_server_threads_busy", "gauge", (), "Threads that run synchronous code now")
    ]
    requests_refused: Annotated[
        Series,
        Family("action_server_requests_refused_total", "counter", ("reason",), "Requests that never became a call"),
    ]
    webhook_requests: Annotated[
        Series,
        Family("action_server_webhook_requests_total", "counter", ("way",), "Calls over HTTP, fast or plain"),
    ]
    domain_requests: Annotated[
        Series,
        Family(
            "action_server_domain_requests_total", "counter", ("action",), "Calls answered with 449, send the domain"
        ),
    ]
    events_dropped: Annotated[
        Series,
        Family("action_server_events_dropped_total", "counter", ("action", "event"), "Events no engine would take"),
    ]
    events_repaired: Annotated[
        Series,
        Family(
            "action_server_events_repaired_total", "counter", ("action", "event"), "Events whose fields were put right"
        ),
    ]
    jobs: Annotated[
        Series,
        Family(
            "action_server_jobs", "gauge", ("job_name", "state"), "Jobs that wait, run or are parked", across="livemax"
        ),
    ]
    jobs_late: Annotated[
        Series,
        Family(
            "action_server_jobs_late_seconds", "gauge", ("job_name",), "How long the oldest is due", across="livemax"
        ),
    ]
    job_runs: Annotated[
        Series, Family("action_server_job_runs_total", "counter", ("job_name", "outcome"), "Runs that came to an end")
    ]
    job_running: Annotated[
        Series,
        Family("action_server_job_running_seconds", "histogram", ("job_name",), "How long runs of jobs took", _RUNNING),
    ]
    deliveries: Annotated[
        Series,
        Family(
            "action_server_deliveries_total", "counter", ("engine", "outcome"), "Tries to deliver a result, by route"
        ),
    ]
    recordings: Annotated[
        Series,
        Family("action_server_recordings_total", "counter", ("result",), "Calls that were to be recorded, by outcome"),
    ]
    outbound_requests: Annotated[
        Series,
        Family("action_server_outbound_requests_total", "counter", ("host", "outcome"), "HTTP requests of actions"),
    ]
    outbound_request: Annotated[
        Series,
        Family(
            "action_server_outbound_request_seconds", "histogram", ("host",), "How long HTTP requests took", _OUTBOUND
        ),
    ]
    loop_lag: Annotated[
        Series, Family("action_server_loop_lag_seconds", "histogram", (), "How late the event loop answered", _LAG)
    ]
    loop_blocked: Annotated[
        Series,
        Family("action_server_loop_blocked_total", "counter", ("action", "place"), "Times code blocked the event loop"),
    ]
    loop_blocked_seconds: Annotated[
        Series,
        Family("action_server_loop_blocked_seconds_total", "counter", ("action", "place"), "How long that was, in all"),
    ]
    workers: Annotated[Series, Family("action_server_workers", "gauge", (), "Workers that are alive")]
    workers_died: Annotated[
        Series, Family("action_server_workers_died_total", "counter", (), "Workers that ended without being told to")
    ]
    reloads: Annotated[
        Series, Family("action_server_reloads_total", "counter", ("result",), "Reloads of the actions, ok or failed")
    ]
    start_time: Annotated[
        Series,
        Family("action_server_start_time_seconds", "gauge", (), "When the youngest worker started", across="livemax"),
    ]
    info: Annotated[
        Series, Family("action_server_info", "gauge", ("version", "python", "rasa_sdk"), "Always 1", across="livemax")
    ]
    cpu_seconds: Annotated[
        Series,
        Family("action_server_process_cpu_seconds_total", "counter", (), "CPU time of all workers, user and system"),
    ]
    resident_memory: Annotated[
        Series, Family("action_server_process_resident_memory_bytes", "gauge", (), "Resident memory of all workers")
    ]
    open_fds: Annotated[
        Series, Family("action_server_process_open_fds", "gauge", (), "Open file descriptors of all workers")
    ]
    gc_collections: Annotated[
        Series,
        Family("action_server_gc_collections_total", "counter", ("generation",), "Runs of Python's garbage collector"),
    ]

    @classmethod
    def made_by(cls, make: Callable[[Family], Series]) -> Families:
        """Return all of them, each as ``make`` makes it."""
        return cls(**{name: make(family) for name, family in FAMILIES_BY_NAME.items()})


# By the name of its attribute.
FAMILIES_BY_NAME: dict[str, Family] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Families, include_extras=True).items()
}
FAMILIES = tuple(FAMILIES_BY_NAME.values())


class Silence:
    """Stands in for every metric when metrics are off."""

    def labels(self, *values: str) -> Series:
        """Return itself."""
        return self

    def inc(self, amount: float = 1) -> None:
        """Do nothing."""

    def dec(self, amount: float = 1) -> None:
        """Do nothing."""

    def set(self, value: float) -> None:
        """Do nothing."""

    def observe(self, amount: float) -> None:
        """Do nothing."""
