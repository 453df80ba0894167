"""The benchmark sends the same in every run, and its page is made from whatever it found."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from action_server.protocol import calls
from benchmarks import bench, payloads, plot, report
from benchmarks.servers import KINDS

ACTIONS = ("action_noop", "validate_bench_form")


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
