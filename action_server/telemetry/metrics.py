"""What the server counts and measures, and the page Prometheus reads it from, the same one from every worker.

A call is counted in the process, and written down together with others some times a second. Workers write into files
of their own, mapped into memory, in the directory of ``metrics_files``; whoever is asked for the page adds them up
(prometheus_client's multiprocess mode). What a worker wrote survives its death, even by SIGKILL. A server of one
process writes into memory. prometheus_client is imported with the first :class:`Metrics` that counts, not with this
module.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from action_server.protocol.events import PRO_EVENTS
from action_server.telemetry.counted_in_files import CountedInFiles
from action_server.telemetry.counted_in_memory import CountedInMemory
from action_server.telemetry.delays import DelayedRun
from action_server.telemetry.metric_families import Families, Family, Series, Silence
from action_server.telemetry.metrics_files import files_locked
from action_server.telemetry.metrics_page import Counted, Page, write_page
from action_server.telemetry.tallies import CallSeries, CallTally

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

# How many hosts, and how many places of blocking code, each worker tells apart; and how many reasons and outcomes.
MAX_HOSTS = 50
MAX_PLACES = 50
# How long what a worker counts of its calls may not be in its file yet, in seconds.
LONGEST_DELAY = 0.1
# From so many actions on, the series of one are made with its first call. Each action has 36 lines on the page.
MANY_ACTIONS = 100
_MAX_WORDS = 20
_MAX_LABEL = 200

UNKNOWN = "unknown"
OTHER = "other"


class Metrics:
    """The metrics of one process.

    ``directory`` is the one its supervisor prepared, None for a server of one process; ``version`` is the server's.
    When not ``enabled`` nothing is counted and prometheus_client is not imported. All methods may be called from any
    thread. No label holds a conversation id, and each takes a bounded number of values.
    """

    def __init__(self, directory: Path | None = None, *, version: str = "", enabled: bool = True) -> None:
        self._version = version
        self._is_shared = directory is not None
        self.enabled = enabled
        self._started = time.time()
        self._known: frozenset[str] = frozenset()
        self._transports: tuple[str, ...] = ("http",)
        self._actions: dict[str, CallSeries] = {}
        # Since the last fold.
        self._tallies: dict[str, CallTally] = {}
        self._counting = threading.Lock()
        self._folding = threading.Lock()
        self._delayed = DelayedRun(LONGEST_DELAY, self.fold)
        self._load: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0)
        self._folded = (0, 0, 0)
        self._host = _Bounded(MAX_HOSTS)
        self._place = _Bounded(MAX_PLACES)
        self._word = _Bounded(_MAX_WORDS)
        self._sampling = threading.Lock()
        self._cpu = 0.0
        self._collections: dict[str, int] = defaultdict(int)
        self._families = Families.made_by(lambda _: Silence())
        self._counted: Counted | None = None
        if enabled:
            self._families, self._counted = _make_families(directory)

    def know(self, actions: Iterable[str], transports: Sequence[str] = ("http",)) -> None:
        """Name the actions there are, and what they are called over: every other name is counted as ``unknown``.

        What alerts look at starts at 0, since Prometheus takes no notice of a counter's first value. Of many actions
        most are never called, and start at 0 when they are.
        """
        self._known = frozenset(actions)
        self._transports = tuple(transports)
        if len(self._known) < MANY_ACTIONS:
            for action in sorted(self._known):
                self._start_at_zero(_text(action))
        if "http" in transports:
            for way in ("fast", "plain"):
                self._families.webhook_requests.labels(way)

    def call_started(self, action: str) -> None:
        """Count a call as in flight."""
        if self.enabled:
            with self._counting:
                (self._tallies.get(action) or self._tally(action)).in_flight += 1
            self._delayed.request()

    def call_finished(
        self,
        action: str,
        transport: str,
        outcome: str,
        waiting_seconds: float | None = None,
        running_seconds: float | None = None,
    ) -> None:
        """Count a call that was started as finished. A call that did not wait, or did not run, has no time of it."""
        if not self.enabled:
            return
        key = (outcome, transport)
        with self._counting:
            tally = self._tallies.get(action) or self._tally(action)
            tally.in_flight -= 1
            tally.finished[key] = tally.finished.get(key, 0) + 1
            if waiting_seconds is not None:
                tally.waiting.add(waiting_seconds)
            if running_seconds is not None:
                tally.running.add(running_seconds)
        self._delayed.request()

    def fold(self) -> None:
        """Write down what was counted of calls since the last time. The last thing a worker does."""
        if not self.enabled:
            return
        with self._folding:
            with self._counting:
                tallies, self._tallies = self._tallies, {}
            for action, tally in tallies.items():
                self._of(action).add(tally)
            now = self._load()
            if now != self._folded:
                self._folded = now
                self._families.queued.set(now[0])
                self._families.threads_busy.set(now[1])
                self._families.threads.set(now[2])

    def follow_load(self, load: Callable[[], tuple[int, int, int]]) -> None:
        """Say from now on how much there is to do: ``load`` returns the calls that wait, the threads that are busy, and
        all threads there are. It is asked with each fold, as telling it with each call would cost every one.
        """
        self._load = load

    def timed_out(self, action: str) -> None:
        """Count a call whose action ran out of time."""
        self._families.timeouts.labels(self._of(action).name).inc()

    def event_dropped(self, action: str, event: str) -> None:
        """Count an event that was left out. ``event`` is its name; one that no engine knows is ``other``."""
        self._families.events_dropped.labels(self._of(action).name, _event(event)).inc()

    def event_repaired(self, action: str, event: str) -> None:
        """Count an event that was put right."""
        self._families.events_repaired.labels(self._of(action).name, _event(event)).inc()

    def domain_requested(self, action: str) -> None:
        """Count an answer that asks the engine for the domain (449)."""
        self._families.domain_requests.labels(self._of(action).name).inc()

    def called(self, way: str, calls: int) -> None:
        """Count calls over HTTP by the ``way`` they took through the server, ``fast`` or ``plain``."""
        self._families.webhook_requests.labels(way).inc(calls)

    def job_ran(self, job: str, outcome: str, waited: float, ran: float) -> None:
        """Count a run of a job, by how it came out; times are in seconds."""
        self._families.job_runs.labels(_text(job), outcome).inc()
        self._families.job_running.labels(_text(job)).observe(ran)

    def delivered(self, engine: str, outcome: str) -> None:
        """Count a try to deliver a result: the engine's name in the settings, and the route, or ``failed``."""
        self._families.deliveries.labels(engine, outcome).inc()

    def queue_measured(self, job: str, waiting: int, running: int, parked: int, late: float) -> None:
        """Record how many jobs of a name there are, of all processes, and for how many seconds the oldest is due."""
        for state, count in (("waiting", waiting), ("running", running), ("parked", parked)):
            self._families.jobs.labels(_text(job), state).set(count)
        self._families.jobs_late.labels(_text(job)).set(late)

    def recorded(self, result: str, calls: int = 1) -> None:
        """Count calls that were to be recorded: ``written``, or why they were not, in a few words of ours."""
        self._families.recordings.labels(result).inc(calls)

    def refused(self, reason: str) -> None:
        """Count a request that never became a call. ``reason`` is one of a few words of ours."""
        self._families.requests_refused.labels(self._word(reason)).inc()

    def outbound(self, host: str, outcome: str, seconds: float) -> None:
        """Count an HTTP request of an action. Each worker tells the first 50 hosts apart; the rest is ``other``.

        ``outcome`` is ``ok``, ``client_error`` (4xx), ``server_error`` (5xx), ``timeout`` or ``failed`` (no answer).
        """
        # What stands before an @ is a user's name and password.
        name = self._host(host.rpartition("@")[2].lower())
        self._families.outbound_requests.labels(name, self._word(outcome)).inc()
        self._families.outbound_request.labels(name).observe(seconds)

    def loop_lag(self, seconds: float) -> None:
        """Record how late the event loop answered."""
        self._families.loop_lag.observe(seconds)

    def loop_blocked(self, action: str, seconds: float, place: str = "") -> None:
        """Count code that blocked the event loop: ``file:line``, and the action it was called from, if any."""
        labels = (self._of(action).name if action else "", self._place(place))
        self._families.loop_blocked.labels(*labels).inc()
        self._families.loop_blocked_seconds.labels(*labels).inc(seconds)

    def reloaded(self, ok: bool) -> None:
        """Count a reload of the actions."""
        self._families.reloads.labels("ok" if ok else "failed").inc()

    def worker_died(self) -> None:
        """Count a worker that ended without being told to."""
        self._families.workers_died.inc()

    def sample_process(self) -> None:
        """Measure this worker's process. To be called every few seconds, so that no worker's numbers are old."""
        if not self.enabled:
            return
        # A loop that is blocked folds nothing.
        self.fold()
        with self._sampling:
            self._families.workers.set(1)
            self._families.start_time.set(self._started)
            self._families.info.labels(*self._versions()).set(1)
            used, self._cpu = self._cpu, time.process_time()
            self._families.cpu_seconds.inc(max(0.0, self._cpu - used))
            for generation, stats in enumerate(gc.get_stats()):
                runs = self._families.gc_collections.labels(str(generation))
                runs.inc(stats["collections"] - self._collections[str(generation)])
                self._collections[str(generation)] = stats["collections"]
            self._measure_proc()

    def render(self, accept: str | None = None, accept_encoding: str | None = None) -> Page:
        """Return the page for Prometheus, of all workers, by the request's ``Accept`` and ``Accept-Encoding``.

        Takes a moment, in which others write down what they count: call it on a thread. Empty when metrics are off.
        """
        if self._counted is None:
            return Page(b"", "text/plain; charset=utf-8", {})
        if self._is_shared:
            # By then the others have written down what they had counted when the page was asked for.
            time.sleep(1.5 * LONGEST_DELAY)
        self.sample_process()
        return write_page(self._counted, accept, accept_encoding)

    def _tally(self, action: str) -> CallTally:
        """Return the tally of an action that has none yet, or that nobody knows."""
        known = action if action in self._known else UNKNOWN
        tally = self._tallies.get(known)
        if tally is None:
            tally = self._tallies[known] = CallTally()
        return tally

    def _of(self, action: str) -> CallSeries:
        known = action if action in self._known else UNKNOWN
        series = self._actions.get(known)
        if series is None:
            series = self._actions.setdefault(known, CallSeries(self._families, _text(known)))
            if known in self._known:
                self._start_at_zero(series.name)
        return series

    def _start_at_zero(self, name: str) -> None:
        self._families.timeouts.labels(name)
        for outcome in ("ok", "failed"):
            for transport in self._transports:
                self._families.calls.labels(name, outcome, transport)

    def _measure_proc(self) -> None:
        """Measure what only Linux tells a process about itself; elsewhere it is left out."""
        try:
            resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            descriptors = len(os.listdir("/proc/self/fd"))
        except OSError:
            return
        self._families.resident_memory.set(resident * os.sysconf("SC_PAGE_SIZE"))
        self._families.open_fds.set(descriptors)

    def _versions(self) -> tuple[str, str, str]:
        return self._version, platform.python_version(), importlib.metadata.version("rasa-sdk")


class _Bounded:
    """Label values: the first ``limit`` different ones as they are, every further one as ``other``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._labels: dict[str, str] = {}

    def __call__(self, value: str) -> str:
        if value in self._labels:
            return self._labels[value]
        if len(self._labels) >= self._limit:
            return OTHER
        return self._labels.setdefault(value, _text(value))


def _event(name: str) -> str:
    return name if name in PRO_EVENTS else OTHER


def _text(value: str) -> str:
    # A lone surrogate would make every page from then on an encoding error.
    return value[:_MAX_LABEL].encode("utf-8", "replace").decode()


def _make_families(directory: Path | None) -> tuple[Families, Counted]:
    """Make the metrics, in memory or in files of ``directory``; return them, and what a page is made of."""
    from prometheus_client import CollectorRegistry, values

    registry = CollectorRegistry()
    if directory is None:
        # Whatever PROMETHEUS_MULTIPROC_DIR says: nobody would tidy that directory.
        values.ValueClass = values.MutexValue
        families = Families.made_by(lambda family: _make(family, registry))
        return families, CountedInMemory(families)
    # prometheus_client looks for its directory there, and nowhere else, each time it opens a file.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    if not getattr(values.ValueClass, "_multiprocess", False):
        # It chooses at its import; whoever imported it first did not know the directory.
        values.ValueClass = values.MultiProcessValue()
    # A page that finds a file without content yet is an error.
    with files_locked(directory, alone=True):
        families = Families.made_by(lambda family: _make(family, registry))
    return families, CountedInFiles(directory)


def _make(family: Family, registry: CollectorRegistry) -> Series:
    import prometheus_client as client

    if family.kind == "counter":
        made: object = client.Counter(family.name, family.meaning, family.labels, registry=registry)
    elif family.kind == "gauge":
        made = client.Gauge(
            family.name, family.meaning, family.labels, registry=registry, multiprocess_mode=family.across
        )
    else:
        made = client.Histogram(family.name, family.meaning, family.labels, registry=registry, buckets=family.buckets)
    return cast("Series", made)
