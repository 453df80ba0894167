"""What stands in deploy/ and the pages about it: names that exist, readable queries, runbooks that are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from action_server.telemetry.metric_families import FAMILIES

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "action-server.json").read_text(encoding="utf-8"))
ALERTS = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "alerts.yml")
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
REFERENCE = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
HOWTO = (ROOT / "docs" / "howto" / "monitor.md").read_text(encoding="utf-8")

# What can be asked for: a histogram by its parts only.
SERIES = {f"{family.name}": family for family in FAMILIES if family.kind != "histogram"} | {
    f"{family.name}_{part}": family
    for family in FAMILIES
    if family.kind == "histogram"
    for part in ("bucket", "count", "sum")
}
# Added by Prometheus to what it scrapes, and by histograms.
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}


def queries(part: Any) -> Iterator[str]:
    """Every PromQL expression in a part of the dashboard."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key in ("expr", "query") and isinstance(value, str))
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from queries(inner)


def problems(query: str) -> list[str]:
    """What is wrong with the names, the labels and the brackets of a query."""
    names = set(re.findall(r"action_server_\w+", query))
    found = [f"no metric {name}" for name in sorted(names - set(SERIES))]
    known = {label for name in names & set(SERIES) for label in SERIES[name].labels} | LABELS_OF_PROMETHEUS
    used = set(re.findall(r"(\w+)=~?\"", query))
    used |= {label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.findall(r"\w+", group)}
    found += [f"no label {label}" for label in sorted(used - known)]
    counters = {name for name in names & set(SERIES) if SERIES[name].kind != "gauge"}
    found += [f"{name} without rate" for name in sorted(counters) if not re.search(rf"(rate|increase)\({name}", query)]
    found += [f"unbalanced {pair}" for pair in ("()", "{}", "[]") if query.count(pair[0]) != query.count(pair[1])]
    return found


DASHBOARD_QUERIES = [query for query in queries(DASHBOARD) if "action_server" in query and "label_values" not in query]


@pytest.mark.parametrize("query", DASHBOARD_QUERIES)
def test_the_dashboard_asks_for_what_there_is(query: str) -> None:
    """Metrics and labels exist, counters are turned into rates, and the chosen jobs are respected."""
    assert problems(query) == []
    assert query.count('job=~"$job"') == len(re.findall(r"action_server_\w+", query))


def test_the_dashboards_variables_come_from_metrics_that_exist() -> None:
    """Data source, job and action can be chosen."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    asked = re.findall(r"action_server_\w+", json.dumps([v["query"] for v in variables.values()]))

    assert list(variables) == ["datasource", "job", "action"]
    assert set(asked) <= set(SERIES)


def test_the_dashboards_panels_are_in_order() -> None:
    """Each has its own id, a title and a place of its own within 24 columns."""
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    cells = [
        (column, line)
        for place in (panel["gridPos"] for panel in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(ids)) == len(ids) > 20
    assert all(panel["title"] for panel in panels)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) == 23
    assert DASHBOARD["schemaVersion"] >= 38, "older than Grafana 10"


def test_every_panel_uses_the_chosen_data_source() -> None:
    """A dashboard that names somebody's own data source shows nothing anywhere else."""
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    sources = [part["datasource"]["uid"] for panel in panels for part in (panel, *panel["targets"])]

    assert set(sources) == {"${datasource}"}
    assert [panel["title"] for panel in panels if not panel["targets"]] == []


def test_the_dashboard_shows_every_metric() -> None:
    """What is measured can be seen."""
    shown = {SERIES[name].name for query in DASHBOARD_QUERIES for name in re.findall(r"action_server_\w+", query)}

    assert {family.name for family in FAMILIES} - shown == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_complete(rule: dict[str, Any]) -> None:
    """Names that exist, how long, how bad, in words, and a runbook that says what to do."""
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = [line.removeprefix("### ").lower() for line in (ROOT / page).read_text(encoding="utf-8").splitlines()]

    assert problems(rule["expr"]) == []
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert anchor in headings
    named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    assert all(label in rule["expr"] for label in named - LABELS_OF_PROMETHEUS)


def test_alerts_have_names_of_their_own() -> None:
    """Silencing one silences one."""
    names = [rule["alert"] for rule in RULES]

    assert len(set(names)) == len(names) >= 8


PLANTED = [
    ("a metric that is not there", "rate(action_server_cals_total[5m])", ["no metric action_server_cals_total"]),
    ("a histogram as a whole", "action_server_loop_lag_seconds", ["no metric action_server_loop_lag_seconds"]),
    ("a label to choose by", 'action_server_calls_in_flight{host="x"}', ["no label host"]),
    ("a label to add up by", "sum by (job, event) (action_server_workers)", ["no label event"]),
    ("a counter as it is", "action_server_reloads_total > 1", ["action_server_reloads_total without rate"]),
    ("a bracket", "sum(action_server_workers", ["unbalanced ()"]),
]


@pytest.mark.parametrize(("query", "found"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_the_checker_finds(query: str, found: list[str]) -> None:
    """Each planted mistake, and nothing else."""
    assert problems(query) == found


def metrics_table() -> str:
    """The reference of all metrics, made from their table."""
    lines = ["| metric | type | labels | what it is |", "|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.meaning} |")
    return "\n".join(lines)


def test_the_reference_has_every_metric() -> None:
    """The table is made from the one in metrics.py; paste the one shown here when it differs."""
    assert metrics_table() in REFERENCE, f"docs/reference/metrics.md needs this table:\n{metrics_table()}"


def test_the_pages_name_no_metric_that_is_not_there() -> None:
    """In the prose and the queries of both pages."""
    names = set(re.findall(r"action_server_\w+", REFERENCE + HOWTO))

    assert names - set(SERIES) - {family.name for family in FAMILIES} == set()


def test_metrics_are_named_as_prometheus_wants_them() -> None:
    """Counters end in `_total` and nothing else does; times are in seconds, sizes in bytes."""
    for family in FAMILIES:
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb)(_|$)", family.name), family.name
        assert bool(family.buckets) == (family.kind == "histogram"), family.name
