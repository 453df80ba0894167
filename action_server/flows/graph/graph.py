"""Flows as pictures: Mermaid for Markdown pages, SVG for everything else. Steps that were executed are highlighted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

from action_server.findings.escaping import escape_controls, escape_lines
from action_server.project.flows import END, START, Branch, CallStep, CollectStep, Flow, LinkStep, NoopStep, Step

ELSE = "else"
_CHARACTER, _LINE = 7.2, 18
_PADDING, _GAP_X, _GAP_Y = 14, 48, 56
# Between two ways back, and how far above a box one comes in.
_LANE, _ABOVE = 26, 20
_LONGEST_LABEL = 44
_STYLE = """\
text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1a2b3c }
.node rect, .node polygon { fill: #f4f6f8; stroke: #5a6b7c; stroke-width: 1.2 }
.edge path { fill: none; stroke: #8a97a4; stroke-width: 1.2 }
.edge text { font-size: 11px; fill: #44515e }
.edge rect { fill: #fff; fill-opacity: 0.9; stroke: none }
.node.run rect, .node.run polygon { fill: #d9f2e3; stroke: #137a45; stroke-width: 2.4 }
.run path { stroke: #137a45; stroke-width: 2.4 }
"""


@dataclass(frozen=True)
class Edge:
    """A way from one step to another; the label is its condition, :data:`ELSE`, or nothing."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    """A flow's steps, START and END included, and the ways between them.

    ``executed`` holds the ids of steps, ``taken`` the ways that were taken; None if that is not known.
    """

    flow: Flow
    executed: frozenset[str] = field(default_factory=frozenset)
    taken: frozenset[Edge] | None = None

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every way, in the order of the file. One to a step that does not exist is left out."""
        first = [Branch(target=self.flow.steps[0].id if self.flow.steps else END, at=self.flow.at)]
        known = {END, *self.flow.by_id}
        ways = [(START, branch) for branch in first]
        ways += [(step.id, branch) for step in self.flow.by_id.values() for branch in step.next]
        return tuple(Edge(source, way.target, _label(way)) for source, way in ways if way.target in known)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The ids of what is drawn, START first and END last. A step no way leads to is there as well."""
        return (START, *self.flow.by_id, END)

    def was_executed(self, node: str) -> bool:
        """Say whether a step was executed; START is, if anything was that some way led to."""
        return node in self.executed or (node == START and bool(self.executed) and self.taken != frozenset())

    def was_taken(self, edge: Edge) -> bool:
        """Say whether a way was taken; where that is not known, whether both of its ends were executed."""
        if self.taken is not None:
            return edge in self.taken
        return self.was_executed(edge.source) and self.was_executed(edge.target)

    def text(self, node: str) -> str:
        """Return what stands in a step's box: its id, and what it does where the id does not say it."""
        step = self.flow.step(node)
        if step is None:
            return node
        what = escape_controls(step.what)
        return f"{escape_controls(step.id)}\n{what}" if step.has_id else what


def graph_of(flow: Flow, executed: Collection[str] = (), taken: Collection[Edge] | None = None) -> Graph:
    """Return the graph of a flow.

    ``executed`` are ids of steps to highlight, END among them if it was reached. ``taken`` are the ways, labelled with
    what :func:`condition_label` makes of their conditions; without it a way counts as taken if both of its ends were
    executed.
    """
    return Graph(flow, frozenset(executed), None if taken is None else frozenset(taken))


def condition_label(condition: str) -> str:
    """Return a condition as a label: on one line, and not too long."""
    text = escape_controls(" ".join(condition.split()))
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def mermaid(graphs: Collection[Graph]) -> str:
    """Return a Mermaid flowchart of one or more flows, each in a frame of its own if there are several."""
    lines = ["flowchart TD"]
    runs: list[str] = []
    for number, graph in enumerate(graphs):
        ids = {node: f"f{number}n{n}" for n, node in enumerate(graph.nodes)}
        block = [*_mermaid_nodes(graph, ids), *_mermaid_edges(graph, ids)]
        if len(graphs) > 1:
            block = [f'subgraph f{number}["{_quote(graph.flow.id)}"]', *(f"  {line}" for line in block), "end"]
        lines += [f"  {line}" for line in block]
        runs += [ids[node] for node in graph.nodes if graph.was_executed(node)]
    if runs:
        lines += ["  classDef run fill:#d9f2e3,stroke:#137a45,stroke-width:3px", f"  class {','.join(runs)} run"]
    return "\n".join(lines) + "\n"


def _mermaid_nodes(graph: Graph, ids: Mapping[str, str]) -> Iterator[str]:
    for node in graph.nodes:
        text = _quote(graph.text(node))
        step = graph.flow.step(node)
        before, after = _mermaid_shape(step) if step else ("([", "])")
        yield f'{ids[node]}{before}"{text}"{after}'


def _mermaid_shape(step: Step) -> tuple[str, str]:
    if isinstance(step, CollectStep):
        return "[/", "/]"
    if isinstance(step, NoopStep):
        return "{", "}"
    return ("[[", "]]") if isinstance(step, (LinkStep, CallStep)) else ("[", "]")


def _mermaid_edges(graph: Graph, ids: Mapping[str, str]) -> Iterator[str]:
    for edge in graph.edges:
        arrow = "==>" if graph.was_taken(edge) else "-->"
        label = f'|"{_quote(edge.label)}"|' if edge.label else ""
        yield f"{ids[edge.source]} {arrow}{label} {ids[edge.target]}"


def _quote(text: str) -> str:
    # Mermaid's own way of writing characters that mean something to it.
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "\n": "<br>"}
    return "".join(special.get(character, character) for character in escape_lines(text))


def _label(branch: Branch) -> str:
    return ELSE if branch.is_else else condition_label(branch.condition.text) if branch.condition else ""


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def svg(graph: Graph, *, is_styled: bool = True) -> str:
    """Return one flow as an SVG document that needs nothing else: no script, no font, no network.

    Without ``is_styled`` it is for a page that has the styles of its classes.
    """
    boxes = _layout(graph)
    # Ways back run to the right of everything.
    edges = _merge_parallel(graph.edges)
    back = [edge for edge in edges if boxes[edge.target].y <= boxes[edge.source].y]
    right = max(box.x + box.width for box in boxes.values())
    lines = [line for edge in back for line in edge.label.split("\n")]
    width = right + _PADDING + _LANE * len(back) + max(map(len, lines), default=0) * _CHARACTER
    height = max(box.y + box.height for box in boxes.values()) + _PADDING
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(escape_controls(graph.flow.readable_name))}">',
        *([f"<style>\n{_STYLE}</style>"] if is_styled else []),
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#5a6b7c"/></marker></defs>',
    ]
    lanes = {edge: right + _PADDING + _LANE * n for n, edge in enumerate(back)}
    ran = {(edge.source, edge.target) for edge in graph.edges if graph.was_taken(edge)}
    parts += [_svg_edge(edge, boxes, lanes.get(edge), (edge.source, edge.target) in ran) for edge in edges]
    parts += [_svg_node(graph, node, boxes[node]) for node in graph.nodes]
    return "\n".join([*parts, "</svg>", ""])


def _layout(graph: Graph) -> dict[str, _Box]:
    """Place each step in a row below all steps that lead to it, ways back aside; rows are centred."""
    rows: dict[int, list[str]] = {}
    for node, rank in _ranks(graph).items():
        rows.setdefault(rank, []).append(node)
    sizes = {node: _size(graph.text(node)) for node in graph.nodes}
    widths = {rank: sum(sizes[n][0] for n in row) + _GAP_X * (len(row) - 1) for rank, row in rows.items()}
    widest = max(widths.values())
    boxes: dict[str, _Box] = {}
    y: float = _PADDING
    for rank in sorted(rows):
        x = _PADDING + (widest - widths[rank]) / 2
        for node in rows[rank]:
            width, height = sizes[node]
            boxes[node] = _Box(x, y, width, height)
            x += width + _GAP_X
        y += max(sizes[node][1] for node in rows[rank]) + _GAP_Y
    return boxes


def _ranks(graph: Graph) -> dict[str, int]:
    order = {node: n for n, node in enumerate(graph.nodes)}
    forward = [edge for edge in graph.edges if order[edge.source] < order[edge.target]]
    ranks = dict.fromkeys(graph.nodes, 0)
    for node in graph.nodes[1:]:
        # A step no way leads to stands in the first row below START.
        ranks[node] = max((ranks[edge.source] + 1 for edge in forward if edge.target == node), default=1)
    ranks[END] = max(ranks[END], *(rank + 1 for node, rank in ranks.items() if node != END))
    return ranks


def _size(text: str) -> tuple[float, float]:
    lines = text.split("\n")
    return max(len(line) for line in lines) * _CHARACTER + 2 * _PADDING, len(lines) * _LINE + _PADDING


def _svg_node(graph: Graph, node: str, box: _Box) -> str:
    step = graph.flow.step(node)
    run = " run" if graph.was_executed(node) else ""
    lines = graph.text(node).split("\n")
    first = box.y + box.height / 2 - (len(lines) - 1) * _LINE / 2 + 4.5
    texts = "".join(_svg_text(line, box.middle, first + n * _LINE, bold=n == 0) for n, line in enumerate(lines))
    corners = 4 if step else box.height / 2
    size = f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{corners:.0f}"'
    shape = f'<rect x="{box.x:.1f}" y="{box.y:.1f}" {size}/>'
    title = f"<title>{escape(escape_controls(str(step.at)))}</title>" if step else ""
    return f'<g class="node{run}">{title}{shape}{texts}</g>'


def _svg_edge(edge: Edge, boxes: Mapping[str, _Box], lane: float | None, taken: bool) -> str:
    source, target = boxes[edge.source], boxes[edge.target]
    if lane is None:
        x1, y1, x2, y2 = source.middle, source.y + source.height, target.middle, target.y
        bend = (y2 - y1) / 2
        way = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
        # Nearer to the target, where ways that part have parted.
        x, y, anchor = x1 + (x2 - x1) * 0.6, y1 + (y2 - y1) * 0.6 + 4, "middle"
    else:
        x1, y1 = source.x + source.width, source.y + source.height / 2
        # From above, so that it crosses no other box of the row.
        x2, y2 = target.middle + target.width / 4, target.y
        way = f"M{x1:.1f} {y1:.1f}H{lane:.1f}V{y2 - _ABOVE}H{x2:.1f}V{y2:.1f}"
        x, y, anchor = lane + 4, (y1 + y2) / 2, "start"
    labels = edge.label.split("\n") if edge.label else []
    texts = "".join(_svg_label(label, x, y + 14 * n, anchor) for n, label in enumerate(labels))
    return f'<g class="edge{" run" if taken else ""}"><path d="{way}" marker-end="url(#arrow)"/>{texts}</g>'


def _svg_label(label: str, x: float, y: float, anchor: str) -> str:
    width = len(label) * _CHARACTER * 0.85
    left = x - width / 2 if anchor == "middle" else x
    behind = f'<rect x="{left:.1f}" y="{y - 10:.1f}" width="{width:.1f}" height="13"/>'
    return behind + _svg_text(label, x, y, anchor=anchor)


def _svg_text(text: str, x: float, y: float, *, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _merge_parallel(edges: Collection[Edge]) -> list[Edge]:
    """Return one edge for all between the same two steps, with their labels below each other."""
    labels: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        labels.setdefault((edge.source, edge.target), []).append(edge.label)
    return [Edge(*ends, "\n".join(filter(None, found))) for ends, found in labels.items()]
