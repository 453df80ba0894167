"""A plot of bars as SVG, without a library: calls a second on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

_WIDTH, _LABELS, _BAR, _GAP, _TOP = 820, 130, 16, 22, 56
_COLOURS = {"ours": "#1b6ca8", "rasa-sdk": "#d1495b", "bare Sanic": "#9aa5b1", "Sanic + orjson": "#c9d1d9"}
_STYLE = "text { font: 12px sans-serif; fill: #24292f } .grid { stroke: #d0d7de } .title { font-weight: bold }"


def bars(rates: dict[str, dict[str, float]]) -> str:
    """Return the plot: a group of bars for each load, a bar for each server."""
    most = max((rate for servers in rates.values() for rate in servers.values()), default=1.0)
    decades = max(1, math.ceil(math.log10(max(most, 10))))
    height = _TOP + sum(len(servers) * _BAR + _GAP for servers in rates.values()) + 24
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>Calls a second by size of the request</title>",
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>',
        '<text class="title" x="10" y="20">Calls a second, one worker on one core (logarithmic)</text>',
        *_grid(decades, height),
    ]
    top = _TOP
    for load, servers in rates.items():
        lines.append(f'<text class="title" x="10" y="{top + _BAR}">{escape(load)}</text>')
        for name, rate in sorted(servers.items(), key=lambda item: -item[1]):
            lines += _bar(name, rate, top, decades)
            top += _BAR
        top += _GAP
    return "\n".join([*lines, "</svg>", ""])


def _x(rate: float, decades: int) -> float:
    return _LABELS + (_WIDTH - _LABELS - 110) * max(0.0, math.log10(max(rate, 1))) / decades


def _grid(decades: int, height: int) -> Iterator[str]:
    for exponent in range(decades + 1):
        x = _x(10**exponent, decades)
        yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP - 14}" x2="{x:.1f}" y2="{height - 20}"/>'
        yield f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{10**exponent:,}</text>'


def _bar(name: str, rate: float, top: int, decades: int) -> Iterator[str]:
    end = _x(rate, decades)
    colour = _COLOURS.get(name, "#57606a")
    yield f'<rect x="{_LABELS}" y="{top + 3}" width="{max(1, end - _LABELS):.1f}" height="{_BAR - 3}" fill="{colour}"/>'
    yield f'<text x="{_LABELS - 6}" y="{top + _BAR - 2}" text-anchor="end">{escape(name)}</text>'
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    yield f'<text x="{end + 5:.1f}" y="{top + _BAR - 2}">{shown}</text>'
