"""Metrics: what is counted comes out in a bounded number of series, without conversations."""

from __future__ import annotations

import inspect
import math
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from action_server.telemetry.metric_families import FAMILIES
from action_server.telemetry.metrics import MAX_HOSTS, MAX_PLACES, Metrics
from tests.action_server.telemetry.metrics_pages import labels_of, output_of, page_of, read, value

ROOT = Path(__file__).parents[3]
ACTIONS = ("action_book", "action_cancel")


def use_everything(metrics: Metrics) -> None:
    """One of each."""
    metrics.know(ACTIONS)
    metrics.call_started("action_book")
    metrics.call_started("action_cancel")
    metrics.call_finished("action_book", "http", "ok", 0.002, 0.3)
    metrics.follow_load(lambda: (3, 2, 40))
    metrics.timed_out("action_book")
    metrics.event_dropped("action_book", "slot")
    metrics.event_repaired("action_book", "bot")
    metrics.domain_requested("action_book")
    metrics.refused("malformed")
    metrics.outbound("crm.example.com", "ok", 0.2)
    metrics.loop_lag(0.001)
    metrics.loop_blocked("action_book", 0.25, "actions/book.py:12")
    metrics.reloaded(ok=True)
    metrics.reloaded(ok=False)
    metrics.worker_died()
    metrics.job_ran("send_summary", "done", 0.5, 0.3)
    metrics.queue_measured("send_summary", 3, 2, 1, 12.5)


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="1.2.3")
    metrics.know(ACTIONS)
    return metrics


def test_what_is_counted_comes_out() -> None:
    """Each method has its metric."""
    metrics = Metrics(version="1.2.3")
    use_everything(metrics)
    page = page_of(metrics)

    assert value(page, "calls_total", action="action_book", outcome="ok", transport="http") == 1
    assert value(page, "calls_in_flight", action="action_book") == 0
    assert value(page, "calls_in_flight", action="action_cancel") == 1
    assert value(page, "call_waiting_seconds_sum", action="action_book") == 0.002
    assert value(page, "call_running_seconds_sum", action="action_book") == 0.3
    assert value(page, "call_running_seconds_bucket", action="action_book", le="0.25") == 0
    assert value(page, "call_running_seconds_bucket", action="action_book", le="0.5") == 1
    assert value(page, "calls_queued") == 3
    assert (value(page, "threads_busy"), value(page, "threads")) == (2, 40)
    assert value(page, "timeouts_total", action="action_book") == 1
    assert value(page, "events_dropped_total", action="action_book", event="slot") == 1
    assert value(page, "events_repaired_total", action="action_book", event="bot") == 1
    assert value(page, "domain_requests_total", action="action_book") == 1
    assert value(page, "requests_refused_total", reason="malformed") == 1
    assert value(page, "outbound_requests_total", host="crm.example.com", outcome="ok") == 1
    assert value(page, "outbound_request_seconds_sum", host="crm.example.com") == 0.2
    assert value(page, "loop_lag_seconds_sum") == 0.001
    blocked = {"action": "action_book", "place": "actions/book.py:12"}
    assert value(page, "loop_blocked_total", **blocked) == 1
    assert value(page, "loop_blocked_seconds_total", **blocked) == 0.25
    assert value(page, "reloads_total", result="ok") == value(page, "reloads_total", result="failed") == 1
    assert value(page, "workers_died_total") == 1
    assert value(page, "job_runs_total", job_name="send_summary", outcome="done") == 1
    assert value(page, "job_running_seconds_sum", job_name="send_summary") == 0.3
    states = {"waiting": 3, "running": 2, "parked": 1}
    assert {state: value(page, "jobs", job_name="send_summary", state=state) for state in states} == states
    assert value(page, "jobs_late_seconds", job_name="send_summary") == 12.5


def test_the_process_is_measured(metrics: Metrics) -> None:
    """CPU, memory, descriptors and the garbage collector; counters go on from one page to the next."""
    first, second = page_of(metrics), page_of(metrics)

    assert value(first, "workers") == 1
    assert value(first, "start_time_seconds") == pytest.approx(metrics._started)
    assert "1.2.3" in labels_of(first, "info", "version")
    cpu = [value(page, "process_cpu_seconds_total") or math.nan for page in (first, second)]
    assert 0 < cpu[0] <= cpu[1]
    assert labels_of(first, "gc_collections_total", "generation") == {"0", "1", "2"}
    if sys.platform == "linux":
        assert (value(first, "process_resident_memory_bytes") or 0) > 1_000_000
        assert (value(first, "process_open_fds") or 0) > 2


def test_the_page_has_every_metric_and_no_other() -> None:
    """And each family is what the table says it is."""
    metrics = Metrics()
    use_everything(metrics)
    # What libraries of actions count, stamina for one, stands on the same page.
    found = {f.name: f.type for f in parse(page_of(metrics)) if not f.name.startswith("stamina_")}

    assert found == {family.name.removesuffix("_total"): family.kind for family in FAMILIES}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
    ids=["no header", "an empty header", "a browser", "nonsense", "Prometheus"],
)
def test_the_format_is_the_one_asked_for(metrics: Metrics, accept: str | None, content_type: str) -> None:
    """OpenMetrics for whoever knows it, the old text for everybody else; the one library reads both."""
    rendered = metrics.render(accept)
    page, answered = rendered.body, rendered.content_type

    assert answered == content_type
    parser = parse_openmetrics if "openmetrics" in answered else parse
    families = {f.name for f in parser(page.decode()) if not f.name.startswith("stamina_")}
    assert families == {family.name.removesuffix("_total") for family in FAMILIES}
    assert b"_created" not in page


def test_an_action_nobody_registered_is_unknown(metrics: Metrics) -> None:
    """Whoever calls names at random makes one series, not one for each."""
    for number in range(100):
        name = f"action_{number}"
        metrics.call_started(name)
        metrics.call_finished(name, "http", "not_found")
        metrics.timed_out(name)
        metrics.domain_requested(name)
        metrics.event_dropped(name, "slot")
        metrics.loop_blocked(name, 1)
    page = page_of(metrics)

    assert value(page, "calls_total", action="unknown", outcome="not_found", transport="http") == 100
    assert labels_of(page, "calls_total", "action") == {*ACTIONS, "unknown"}
    assert {dict(labels)["action"] for _, labels in read(page) if "action" in dict(labels)} == {*ACTIONS, "unknown"}


def test_known_actions_start_at_zero(metrics: Metrics) -> None:
    """Prometheus sees no increase in a series that begins with 1: the first failure would raise no alert."""
    page = page_of(metrics)

    for action in ACTIONS:
        assert value(page, "calls_total", action=action, outcome="failed", transport="http") == 0
        assert value(page, "timeouts_total", action=action) == 0


def test_a_call_that_did_not_run_has_no_time(metrics: Metrics) -> None:
    """A zero would make the percentiles look better than they are."""
    metrics.call_started("action_book")
    metrics.call_finished("action_book", "grpc", "needs_domain")
    page = page_of(metrics)

    assert value(page, "call_running_seconds_count", action="action_book") == 0
    assert value(page, "call_waiting_seconds_count", action="action_book") == 0


def test_an_event_no_engine_knows_is_other(metrics: Metrics) -> None:
    """Actions return what they like."""
    for number in range(100):
        metrics.event_dropped("action_book", f"event {number}")
        metrics.event_repaired("action_book", f"event {number}")

    assert labels_of(page_of(metrics), "events_dropped_total", "event") == {"other"}
    assert value(page_of(metrics), "events_repaired_total", action="action_book", event="other") == 100


def test_hosts_places_and_words_are_bounded(metrics: Metrics) -> None:
    """The first ones keep their names, also later on; the rest is `other`."""
    for number in range(200):
        metrics.outbound(f"host-{number}", f"outcome {number}", 1)
        metrics.loop_blocked("action_book", 1, f"actions/a.py:{number}")
        metrics.refused(f"reason {number}")
    metrics.outbound("HOST-0", "outcome 0", 1)
    page = page_of(metrics)

    hosts = labels_of(page, "outbound_request_seconds_count", "host")
    assert len(hosts) == MAX_HOSTS + 1
    assert value(page, "outbound_request_seconds_count", host="other") == 200 - MAX_HOSTS
    assert value(page, "outbound_request_seconds_count", host="host-0") == 2
    assert len(labels_of(page, "loop_blocked_total", "place")) == MAX_PLACES + 1
    assert len(labels_of(page, "requests_refused_total", "reason")) < 30
    assert len(labels_of(page, "outbound_requests_total", "outcome")) < 30


def test_a_host_is_shown_without_a_password(metrics: Metrics) -> None:
    """Whoever passes more than the host does not publish it."""
    metrics.outbound("user:secret@crm.example.com", "ok", 1)

    assert "secret" not in page_of(metrics)


def test_no_label_makes_the_page_unreadable() -> None:
    """Quotes, line breaks and what is no text at all; a long one is cut."""
    odd = 'a"b\\c\n\ud800'
    metrics = Metrics()
    metrics.know([odd])
    metrics.call_started(odd)
    metrics.outbound(f"{odd}{'x' * 10_000}", "ok", 1)
    page = page_of(metrics)

    assert value(page, "calls_in_flight", action='a"b\\c\n?') == 1
    assert max(map(len, labels_of(page, "outbound_requests_total", "host"))) == 200


def test_nothing_takes_a_conversation() -> None:
    """No method has a parameter, and no metric a label, that could be one."""
    words = ("sender", "conversation", "user", "session", "tracker", "message", "call_id", "request_id")
    methods = [m for name, m in inspect.getmembers(Metrics, inspect.isfunction) if not name.startswith("_")]
    names = [name for method in methods for name in inspect.signature(method).parameters]
    names += [label for family in FAMILIES for label in family.labels]

    assert len(names) > 40
    assert [name for name in names if any(word in name for word in words)] == []


def test_metrics_that_are_off_count_nothing_and_import_nothing() -> None:
    """A server without metrics does not pay for them."""
    script = f"import sys\nfrom action_server.telemetry.metrics import Metrics\nACTIONS = {ACTIONS}\n"
    # By its text: this module itself imports the library.
    script += f"{inspect.getsource(use_everything)}\n"
    script += "metrics = Metrics(enabled=False)\nuse_everything(metrics)\nmetrics.sample_process()\n"
    script += "print(metrics.render().body, 'prometheus_client' in sys.modules)"

    assert output_of(script) == "b'' False"


def test_what_actions_count_themselves_is_on_the_page() -> None:
    """Their own prometheus_client metrics need no second port, with one worker as with several."""
    script = (
        "from prometheus_client import Counter\n"
        "from action_server.telemetry.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "Counter('bookings_total', 'Bookings').inc(7)\n"
        "print([line for line in metrics.render().body.decode().splitlines() if line.startswith('bookings')])"
    )

    assert output_of(script) == "['bookings_total 7.0']"


def test_a_directory_in_the_environment_is_not_used_by_one_process(tmp_path: Path) -> None:
    """Left over from another server; nobody would tidy it."""
    script = (
        "from action_server.telemetry.metrics import Metrics\n"
        "metrics = Metrics()\nmetrics.refused('malformed')\n"
        "print('reason=\"malformed\"} 1.0' in metrics.render().body.decode())"
    )

    assert output_of(script, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "gone")) == "True"
    assert output_of(script, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)) == "True"
    assert list(tmp_path.iterdir()) == []
