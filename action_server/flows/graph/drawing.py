"""Flows as SVG, which needs nothing else. Steps that were executed are highlighted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from action_server.findings.escaping import escape_controls
from action_server.flows.graph.graph import Edge, Graph
from action_server.flows.graph.layout import Box, Layout, Route, lay_out

# In pixels, of a letter that is rather wide; labels are smaller.
_CHARACTER, _LINE = 7.2, 18
_LABEL_CHARACTER, _LABEL_LINE = 6.1, 14
_PADDING = 14
_STYLE = """\
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1a2b3c }
.node rect { fill: #f4f6f8; stroke: #5a6b7c; stroke-width: 1.2 }
.edge path { fill: none; stroke: #8a97a4; stroke-width: 1.2 }
.edge text { font-size: 11px; fill: #44515e }
.arrow { fill: #5a6b7c; stroke: none }
.node.run rect { fill: #d9f2e3; stroke: #137a45; stroke-width: 2.4 }
.run path { stroke: #137a45; stroke-width: 2.4 }
"""


def svg(graph: Graph, *, is_styled: bool = True) -> str:
    """Return one flow as an SVG document that needs nothing else: no script, no font, no network.

    Without ``is_styled`` it is for a page that has the styles of its classes.
    """
    labels = _labels(graph.edges)
    sizes = {node: _size(graph.text(node)) for node in graph.nodes}
    layout = lay_out(graph.nodes, sizes, {ends: _label_size(lines) for ends, lines in labels.items()})
    name = escape_controls(graph.flow.readable_name)
    # Several pictures may be on one page.
    arrow = f"arrow-{hashlib.sha256(graph.flow.id.encode()).hexdigest()[:8]}"
    ran = {(edge.source, edge.target) for edge in graph.edges if graph.was_taken(edge)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" '
        f'width="{layout.width:.0f}" height="{layout.height:.0f}" role="img" aria-label="{escape(name)}">',
        *([f"<style>\n{_STYLE}</style>"] if is_styled else []),
        # In units of the picture: it does not grow with the line.
        f'<defs><marker id="{arrow}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 10 5 0 10z"/></marker></defs>',
    ]
    # Ways that were taken lie above the others.
    ways = sorted(labels.items(), key=lambda way: way[0] in ran)
    parts += [_edge(layout.routes[ends], lines, arrow, is_run=ends in ran) for ends, lines in ways]
    parts += list(_nodes(graph, layout))
    return "\n".join([*parts, "</svg>", ""])


def _labels(edges: Iterable[Edge]) -> dict[tuple[str, str], list[str]]:
    """Return the labels of all ways between the same two steps, which are drawn as one."""
    labels: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        labels.setdefault((edge.source, edge.target), []).extend([edge.label] if edge.label else [])
    return labels


def _size(text: str) -> tuple[float, float]:
    lines = text.split("\n")
    return max(map(len, lines)) * _CHARACTER + 2 * _PADDING, len(lines) * _LINE + _PADDING


def _label_size(lines: list[str]) -> tuple[float, float] | None:
    return (max(map(len, lines)) * _LABEL_CHARACTER, len(lines) * _LABEL_LINE + 2.0) if lines else None


def _nodes(graph: Graph, layout: Layout) -> Iterator[str]:
    for node in graph.nodes:
        box, step = layout.boxes[node], graph.flow.step(node)
        run = " run" if graph.was_executed(node) else ""
        title = f"<title>{escape(escape_controls(str(step.at)))}</title>" if step else ""
        corners = 4 if step else box.height / 2
        size = f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{corners:.0f}"'
        shape = f'<rect x="{box.x:.1f}" y="{box.y:.1f}" {size}/>'
        yield f'<g class="node{run}">{title}{shape}{_node_text(graph.text(node), box)}</g>'


def _node_text(text: str, box: Box) -> str:
    lines = text.split("\n")
    first = box.y + box.height / 2 - (len(lines) - 1) * _LINE / 2 + 4.5
    weights = [' font-weight="600"', *[""] * (len(lines) - 1)]
    return "".join(
        f'<text x="{box.middle:.1f}" y="{first + n * _LINE:.1f}" text-anchor="middle"{weight}>{escape(line)}</text>'
        for n, (line, weight) in enumerate(zip(lines, weights, strict=True))
    )


def _edge(route: Route, lines: list[str], arrow: str, *, is_run: bool) -> str:
    path = f'<path d="{_path(route)}" marker-end="url(#{arrow})"/>'
    texts = ""
    if route.label is not None:
        x, y = route.label.x, route.label.y + 11
        texts = "".join(
            f'<text x="{x:.1f}" y="{y + _LABEL_LINE * n:.1f}">{escape(line)}</text>' for n, line in enumerate(lines)
        )
    return f'<g class="edge{" run" if is_run else ""}">{path}{texts}</g>'


def _path(route: Route) -> str:
    (x, y), *rest = route.points
    path = [f"M{x:.1f} {y:.1f}"]
    if route.is_loop:
        return "".join([*path, *(f"L{x:.1f} {y:.1f}" for x, y in rest)])
    for number, (to_x, to_y) in enumerate(rest):
        if number % 2 == 0 or to_x == x:
            path.append(f"V{to_y:.1f}")
        else:
            half = (y + to_y) / 2
            path.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(path)
