"""The benchmark sends the same in every run, and its page is made from whatever it found."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import pytest

from action_server.protocol import calls
from benchmarks import bench, growth, growth_report, payloads, plot, proxies, report
from benchmarks.points import Point, exponent, faults
from benchmarks.proxy_cases import KILLS, TWENTY
from benchmarks.servers import KINDS
from tests.proxies.load import Books

ACTIONS = ("action_noop", "validate_bench_form")
PROXIES = ("nginx", "haproxy", "apache", "caddy")


@pytest.mark.parametrize("size", ["S", "M", "L"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_payload_is_a_call_of_its_size(size: str, action: str) -> None:
    """Within some percent, so that sizes mean what they say."""
    body = payloads.body(size, action)
    call = calls.decode_call(body)

    assert 0.95 < len(body) / payloads.SIZES[size] < 1.4
    assert (call.action, call.domain is not None) == (action, size == "M")
    assert call.domain_digest == payloads.digest(payloads.domain())
    assert zlib.decompress(payloads.deflated(size, action)) == body


def test_payloads_are_the_same_in_every_run() -> None:
    """Numbers of two runs are about the same bytes; whoever changes them changes this, and measures anew."""
    assert zlib.crc32(payloads.body("M", "action_noop")) == 3144253063


def test_each_load_goes_to_servers_that_are_known() -> None:
    """And each group has a title on the page."""
    cases = list(bench.cases())

    assert {name for case in cases for name in case.servers} <= set(KINDS)
    assert {case.group for case in cases} == set(report.TITLES)


def sample(case: str, server: str, rate: float, number: int = 0) -> dict[str, object]:
    rest = {"p50": 1000, "p99": 2500, "cpu": 21.0, "rss_kb": 65536, "errors": 0}
    return {"group": "noop", "case": case, "server": server, "round": number, "requests_per_second": rate, **rest}


def test_the_page_is_made_from_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians, the least and the most, ratios; what stands around the tables stays."""
    samples = [sample("S", "ours", rate, n) for n, rate in enumerate((900.0, 1200.0, 1000.0))]
    samples += [sample("S", "rasa-sdk", 250.0), sample("XL", "ours", 100.0), sample("XL", "rasa-sdk", 0.0)]
    facts = bench.about(0.0, 3, 1)
    result, page = tmp_path / "result.json", tmp_path / "page.md"
    result.write_text(json.dumps({"about": facts, "samples": samples, "once": {"start, ms": {"ours": [500.0]}}}))
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PLOT", tmp_path / "plot.svg")
    monkeypatch.setattr("sys.argv", ["report", str(result)])

    assert report.main() == 0

    text = page.read_text(encoding="utf-8")
    assert (text.startswith("before\n"), text.endswith("after\n"), "old" in text) == (True, True, False)
    assert "| S | **ours** | 1,000 (900 - 1,200) | 1.0 | 2.5 | 21.0 | 64 | 4.00 |  |" in text
    assert "| start, ms | 500 (500 - 500) |" in text
    assert report.main() == 0
    assert page.read_text(encoding="utf-8") == text


def test_without_a_result_the_page_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it says what to do."""
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "none.json")])

    assert report.main() == 2


def test_the_plot_is_svg_with_a_bar_for_each_server() -> None:
    """Also for one that answered nothing."""
    drawn = ElementTree.fromstring(plot.bars({"S": {"ours": 41000.0, "rasa <sdk>": 0.0}}))  # noqa: S314 - our own

    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert {"ours", "rasa <sdk>", "41,000", "0.0", "S"} <= set(texts)
    bars = [element for element in drawn.iter() if element.tag.endswith("rect")]
    assert len(bars) == 3


def growing(power: float, later: float | None = None, server: str = "ours") -> list[Point]:
    sizes = (10, 100, 1000, 10_000)
    return [Point("slots", "call", server, size, 0.02 * size**power, 100.0, later) for size in sizes]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_the_power_of_the_size(power: float) -> None:
    """Fitted over all sizes; one that is over 1.1 fails, and so does memory that grows."""
    assert exponent(growing(power)) == pytest.approx(power)
    assert bool(faults(growing(power))) is (power > 1.1)
    assert len(faults(growing(0.0, later=130.0))) == 4
    assert faults(growing(0.0, later=101.0)) == []


def test_ten_dimensions_are_measured_at_four_sizes_each() -> None:
    """The table would say little with fewer."""
    assert len(growth.MEASURES) == 15
    assert all(len(counts) >= 4 and sorted(counts) == list(counts) for _, counts in growth.MEASURES.values())


def test_what_grows_becomes_a_table_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row and a line for each server; what stands around the table stays; only this server's growth is a fault."""
    page, drawn = tmp_path / "page.md", tmp_path / "growth.svg"
    page.write_text(f"before\n{growth_report.BEGIN}\nold\n{growth_report.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(growth_report, "PAGE", page)
    monkeypatch.setattr(growth_report, "PLOT", drawn)
    points = [*growing(1.0), *growing(2.0, server="rasa-sdk")]
    growth_report.publish(points, {**bench.about(0.0, 1, 1), "load_least": 0.5, "load_most": 1.5})
    text = page.read_text(encoding="utf-8")

    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| slots | call | ours | 10: 0.2 ms, 100: 2 ms, 1k: 20 ms, 10k: 200 ms | 100 to 100 | 1.00 | 1.00 |" in text
    assert drawn.read_text(encoding="utf-8").count("<polyline") == 2
    assert growth_report.faults_of(points) == []


def test_a_part_of_the_table_of_proxies_is_measured_and_the_rest_stays(tmp_path: Path) -> None:
    """What is written can be read again, cell by cell; what nobody measured is a dash."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{proxies.BEGIN}\n{proxies.END}\nafter\n", encoding="utf-8")
    first, second = {("drain", "nginx"): "0 / 0 / 0 / 1 of 9"}, {("kill", "caddy"): "0 / 0 / 2 / 2 of 8"}
    for cells in (first, second):
        proxies.write(proxies.table_of(proxies.read_cells(page) | cells, ["nginx", "caddy"]), page)

    assert proxies.read_cells(page) == first | second
    assert page.read_text(encoding="utf-8").startswith("before\n")
    assert page.read_text(encoding="utf-8").endswith("\nafter\n")


def test_each_group_is_told_as_the_last_run_has_measured_it() -> None:
    """A run of a few groups stands beside a whole one, until a whole one has measured them, too."""

    def run(when: str, *wanted: str) -> dict[str, Any]:
        return {"about": {"when": when}, "samples": [{"group": group, "when": when} for group in wanted]}

    whole, part = run("2026-01-02", "noop", "features"), run("2026-01-02 10:30", "features", "grpc")

    assert [[s["group"] for s in of] for of in report.latest([whole, part])] == [["noop"], ["features", "grpc"]]
    again = run("2026-01-03 08:00", "noop", "features")
    assert [[s["group"] for s in of] for of in report.latest([again, part])] == [["noop", "features"], ["grpc"]]


@pytest.mark.parametrize(
    ("row", "outcome", "is_fault"),
    [
        ("drain of one; 1 worker", Books(answered={"a"}, marks=Counter("a")), False),
        ("drain of one; 1 worker", Books(refused={"a": "502"}), False),
        ("drain of one; 1 worker", Books(refused={"a": "502"}, marks=Counter("a")), True),
        (f"gRPC, {KILLS}; 1 worker", Books(refused={"a": "502"}, marks=Counter("a")), False),
        (f"{KILLS}; 2 workers", Books(answered={"a"}, marks=Counter("aa")), True),
        ("drain of one; 1 worker", Books(answered={"a"}), True),
        ("drain of one; 1 worker", AssertionError("the proxy ended"), True),
    ],
)
def test_a_cell_of_the_table_of_proxies_is_a_fault_or_not(row: str, outcome: Books | Exception, is_fault: bool) -> None:
    """What ran and was answered to nobody may only be so where a replica was killed; a cell that broke is a fault."""
    assert proxies.is_fault(row, outcome) is is_fault


def test_a_case_that_breaks_leaves_the_other_cells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is started here: no replica can be."""

    def broken(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the replica ended")

    monkeypatch.setattr(proxies, "site_behind", broken)
    found = dict(proxies.measure("nginx", 1, tmp_path, lambda title: "drain of one" in title))

    assert "drain of one" in found
    assert "gRPC, drain of one" in found
    assert {str(outcome) for outcome in found.values()} == {"the replica ended"}


def test_twenty_drains_are_measured_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a whole run behind one proxy that checks; by name behind each of them, with any number of workers."""

    def broken(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(proxies, "site_behind", broken)

    def is_measured(name: str, part: str) -> bool:
        return TWENTY in dict(proxies.measure(name, 2, tmp_path, lambda title: part in title))

    assert [name for name in PROXIES if is_measured(name, "")] == ["haproxy"]
    assert [name for name in PROXIES if is_measured(name, "twenty")] == ["haproxy", "apache", "caddy"]
