"""Flows as graphs, and as Mermaid for Markdown pages. Steps that were executed are highlighted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from action_server.findings.escaping import escape_controls, escape_lines
from action_server.project.flows import END, START, Branch, CallStep, CollectStep, Flow, LinkStep, NoopStep, Step

ELSE = "else"
_LONGEST_LABEL = 44


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
