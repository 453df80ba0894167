"""Counting in the process and writing it down later gives what counting one by one gives."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from action_server.telemetry import metrics_files
from action_server.telemetry.metric_families import FAMILIES_BY_NAME, Series
from action_server.telemetry.metrics import LONGEST_DELAY, MANY_ACTIONS, Metrics
from action_server.telemetry.tallies import Times
from tests.action_server.telemetry.logged_lines import PROPERTY
from tests.action_server.telemetry.metrics_pages import labels_of, output_of, page_of, value
from tests.processes import PATIENCE

BOUNDS = FAMILIES_BY_NAME["running"].buckets
SECONDS = st.floats(0, 400) | st.sampled_from([0.0, *BOUNDS])


@given(batches=st.lists(st.lists(SECONDS, max_size=20), max_size=4))
@PROPERTY
def test_times_are_in_the_buckets_in_which_prometheus_client_counts_them(batches: list[list[float]]) -> None:
    """A value that is a bound is in its bucket; sums are the same but for the order of addition."""
    folded, single = (Histogram("h", "", registry=CollectorRegistry(), buckets=BOUNDS) for _ in range(2))
    for batch in batches:
        times = Times(BOUNDS)
        for seconds in batch:
            times.add(seconds)
            single.observe(seconds)
        times.fold_into(cast("Series", folded))

    (of_folded,), (of_single,) = folded.collect(), single.collect()
    for one, other in zip(of_folded.samples, of_single.samples, strict=True):
        assert one.name.endswith("_created") or one.value == pytest.approx(other.value)


class Folding(Metrics):
    """Metrics that say when they were folded."""

    def __init__(self, directory: Path | None = None) -> None:
        self.folds = 0
        self.was_folded = asyncio.Event()
        super().__init__(directory)

    def fold(self) -> None:
        self.folds += 1
        super().fold()
        self.was_folded.set()


def count_call(metrics: Metrics, action: str = "action_book") -> None:
    metrics.call_started(action)
    metrics.call_finished(action, "http", "ok", 0.1, 0.3)


async def test_many_calls_are_written_down_once() -> None:
    """By the loop's timer, a tenth of a second after the first."""
    metrics = Folding()
    metrics.know(["action_book"])
    began = asyncio.get_running_loop().time()
    for _ in range(100):
        count_call(metrics)
    assert metrics.folds == 0

    await asyncio.wait_for(metrics.was_folded.wait(), PATIENCE)

    assert metrics.folds == 1
    assert asyncio.get_running_loop().time() - began >= LONGEST_DELAY / 2


def test_without_a_loop_nothing_is_put_off() -> None:
    """Whoever counts on a thread of its own may have none."""
    metrics = Folding()
    count_call(metrics)

    assert metrics.folds == 2


async def test_a_page_has_what_was_counted_before_it() -> None:
    """Though it was not written down yet."""
    metrics = Metrics()
    metrics.know(["action_book"])
    metrics.call_started("action_book")
    count_call(metrics)
    page = page_of(metrics)

    assert value(page, "calls_in_flight", action="action_book") == 1
    assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 1
    assert value(page, "call_waiting_seconds_sum", action="action_book") == 0.1


def test_threads_that_count_at_once_lose_nothing() -> None:
    """While another one reads page after page."""
    metrics = Metrics()
    metrics.know(["action_book"])

    def count() -> None:
        for _ in range(500):
            count_call(metrics)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        metrics.render()
    page = page_of(metrics)

    assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 2000
    assert value(page, "call_running_seconds_count", action="action_book") == 2000
    assert value(page, "calls_in_flight", action="action_book") == 0


COUNT_AND_END = """
import asyncio
from pathlib import Path
from typing import cast
from action_server.telemetry.metrics import Metrics
async def main():
    metrics = Metrics(Path({directory!r}))
    metrics.know(["action_book"])
    metrics.call_started("action_book")
    metrics.call_finished("action_book", "http", "ok", 0.1, 0.3)
    metrics.fold()
asyncio.run(main())
"""


def test_what_a_worker_counted_last_is_in_its_file_when_it_has_ended() -> None:
    """The last thing it does is to write it down."""
    directory = metrics_files.prepare_directory()
    try:
        output_of(COUNT_AND_END.format(directory=str(directory)))
        script = "from pathlib import Path\nfrom action_server.telemetry.metrics import Metrics\n"
        script += f"print(Metrics(Path({str(directory)!r})).render().body.decode())"
        page = output_of(script)
    finally:
        metrics_files.cleanup(directory)

    assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 1


def test_of_many_actions_only_those_that_are_called_have_series() -> None:
    """They begin at 0 then; a page of 1,000 actions is not 3,000 zeros."""
    metrics = Metrics()
    metrics.know([f"action_{number}" for number in range(MANY_ACTIONS)])
    assert labels_of(page_of(metrics), "calls_total", "action") == set()

    count_call(metrics, "action_7")
    page = page_of(metrics)

    assert labels_of(page, "calls_total", "action") == {"action_7"}
    assert value(page, "calls_total", action="action_7", outcome="failed", transport="http") == 0
    assert value(page, "timeouts_total", action="action_7") == 0
