"""Makes the table and the plot of how cost grows, from what ``growth.py`` measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.points import Point, exponent, faults, last_exponent

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "growth.svg"
BEGIN, END = "<!-- made by benchmarks/growth.py -->", "<!-- end of growth -->"
_ACROSS, _WIDTH, _HEIGHT, _MARGIN = 3, 270, 190, 42
_COLOURS = {"ours": "#1b6ca8", "rasa-sdk": "#d1495b"}
_STYLE = "text { font: 11px sans-serif; fill: #24292f } .grid { stroke: #d0d7de } .title { font-weight: bold }"

Series = dict[tuple[str, str], dict[str, list[Point]]]


def series_of(points: Sequence[Point]) -> Series:
    """Return the points by dimension and unit, then by server, each in the order of its sizes."""
    found: Series = {}
    for point in sorted(points, key=lambda point: point.size):
        found.setdefault((point.dimension, point.unit), {}).setdefault(point.server, []).append(point)
    return {key: found[key] for key in dict.fromkeys((point.dimension, point.unit) for point in points)}


def faults_of(points: Sequence[Point]) -> list[str]:
    """Say what of this server grows too fast."""
    return [fault for servers in series_of(points).values() for fault in faults(servers["ours"])]


def publish(points: Sequence[Point], facts: dict[str, Any]) -> None:
    """Put table and plot into the documentation."""
    put(table(points, facts), BEGIN, END)
    PLOT.write_text(plot(points), encoding="utf-8")


def put(lines: Iterator[str], begin: str, end: str) -> None:
    """Put lines between two marks of the page, instead of what is there."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    made = "\n".join(lines)
    PAGE.write_text(f"{before}{begin}\n{made}\n{end}{after}", encoding="utf-8")


def table(points: Sequence[Point], facts: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table, and what it was measured on."""
    yield (
        f"{facts['when']}, commit {facts['commit']}, {facts['cores']} cores of {facts['processor']}, Python "
        f"{facts['python']}, {facts['minutes']} minutes; load of the machine {facts['load_least']:.1f} to "
        f"{facts['load_most']:.1f}, of which this run is about 1."
    )
    yield ""
    yield "| dimension | one | server | CPU at each size | MiB, least size to largest | exponent | at the end |"
    yield "|---|---|---|---|---|---|---|"
    for (dimension, unit), servers in series_of(points).items():
        for server, found in servers.items():
            costs = ", ".join(f"{short(point.size)}: {milliseconds(point.cpu_ms)}" for point in found)
            memory = f"{found[0].rss_mib:.0f} to {found[-1].rss_mib:.0f}"
            slopes = f"{exponent(found):.2f} | {last_exponent(found):.2f}"
            yield f"| {dimension} | {unit} | {server} | {costs} | {memory} | {slopes} |"


def plot(points: Sequence[Point]) -> str:
    """Return a log-log plot for each dimension, this server and rasa-sdk in it, as SVG."""
    panels = list(series_of(points).items())
    rows = math.ceil(len(panels) / _ACROSS)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_ACROSS * _WIDTH} {rows * _HEIGHT + 30}" role="img">',
        "<title>CPU time over size, both logarithmic</title>",
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    names = "".join(f'<tspan fill="{colour}" dx="8">{name}</tspan>' for name, colour in _COLOURS.items())
    lines.append(f'<text class="title" x="10" y="18">CPU time over size, both logarithmic: {names}</text>')
    for number, ((dimension, unit), servers) in enumerate(panels):
        lines.append(f'<g transform="translate({number % _ACROSS * _WIDTH} {number // _ACROSS * _HEIGHT + 30})">')
        lines += _panel(f"{dimension}, each {unit}", servers)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _panel(title: str, servers: dict[str, list[Point]]) -> Iterator[str]:
    points = [point for found in servers.values() for point in found]
    xs, ys = (_decades(values) for values in ([p.size for p in points], [p.cpu_ms for p in points]))

    def x(size: float) -> float:
        return _MARGIN + (_WIDTH - _MARGIN - 16) * (math.log10(size) - xs[0]) / (xs[-1] - xs[0])

    def y(cost: float) -> float:
        top, bottom = 22, _HEIGHT - 26
        return bottom - (bottom - top) * (math.log10(max(cost, 1e-6)) - ys[0]) / (ys[-1] - ys[0])

    yield f'<text class="title" x="{_MARGIN}" y="14">{escape(title)}</text>'
    for decade in xs:
        at = x(10**decade)
        yield f'<line class="grid" x1="{at:.1f}" y1="22" x2="{at:.1f}" y2="{_HEIGHT - 26}"/>'
        yield f'<text x="{at:.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{short(10**decade)}</text>'
    for decade in ys:
        at = y(10**decade)
        yield f'<line class="grid" x1="{_MARGIN}" y1="{at:.1f}" x2="{_WIDTH - 16}" y2="{at:.1f}"/>'
        yield f'<text x="{_MARGIN - 4}" y="{at + 4:.1f}" text-anchor="end">{milliseconds(10**decade)}</text>'
    for server, found in servers.items():
        path = " ".join(f"{x(point.size):.1f},{y(point.cpu_ms):.1f}" for point in found)
        yield f'<polyline points="{path}" fill="none" stroke="{_COLOURS[server]}" stroke-width="2"/>'


def _decades(values: Sequence[float]) -> list[int]:
    """Return the powers of ten around positive values, two at least."""
    least, most = math.floor(math.log10(max(min(values), 1e-6))), math.ceil(math.log10(max(*values, 1e-6)))
    return list(range(least, max(most, least + 1) + 1))


def short(size: int) -> str:
    """Return a size as people write it: 3.2k, 1M."""
    for word, unit in (("M", 1_000_000), ("k", 1000)):
        if size >= unit:
            return f"{size / unit:.3g}{word}"
    return str(size)


def milliseconds(value: float) -> str:
    """Return so many milliseconds with the unit that suits them."""
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms" if value >= 0.1 else f"{value * 1000:.3g} us"
