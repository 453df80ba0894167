"""Pictures of flows: every step and every way is in them, what was executed stands out."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from action_server.flows.graph.drawing import svg
from action_server.flows.graph.graph import Graph, graph_of, mermaid
from action_server.project.flows import END, START, Flow
from action_server.project.project_reader import read_project

FLOWS = """
flows:
  book:
    name: book <it> & "more"
    description: Book.
    steps:
      - id: kind
        collect: kind
        next:
          - if: slots.kind == "urgent" and slots.very_long_name_of_a_slot_that_goes_on == "x"
            then: hurry
          - if: slots.kind is null
            then:
              - action: utter_sorry
                next: END
          - else: date
      - id: date
        collect: date
      - id: decide
        noop: true
        next:
          - if: slots.again
            then: kind
          - else: hurry
      - id: hurry
        action: action_hurry
        next:
          - if: slots.a
            then: END
          - else: END
      - id: lost
        action: action_lost
  other:
    description: Other.
    steps:
      - link: book
"""


@pytest.fixture
def flows(tmp_path: Path) -> dict[str, Flow]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "flows.yml").write_text(FLOWS, encoding="utf-8")
    (tmp_path / "domain.yml").write_text('version: "3.1"\n', encoding="utf-8")
    return dict(read_project(tmp_path).flows)


@pytest.fixture
def graph(flows: dict[str, Flow]) -> Graph:
    return graph_of(flows["book"], ["kind", "hurry", END])


def ways(graph: Graph) -> list[tuple[str, str, str]]:
    return [(edge.source, edge.target, edge.label) for edge in graph.edges]


def test_every_way_of_the_file_is_in_the_graph(graph: Graph) -> None:
    """Branches, nested steps, the following step, a way back, the end; long conditions are cut."""
    nested = next(node for node in graph.nodes if graph.text(node) == "action utter_sorry")

    assert ways(graph)[0] == (START, "kind", "")
    assert ("kind", nested, "slots.kind is null") in ways(graph)
    assert ("kind", "date", "else") in ways(graph)
    assert (nested, END, "") in ways(graph)
    assert ("date", "decide", "") in ways(graph)
    assert ("decide", "kind", "slots.again") in ways(graph)
    assert ("lost", END, "") in ways(graph)
    [label] = [label for source, target, label in ways(graph) if (source, target) == ("kind", "hurry")]
    assert (len(label), label[-1]) == (44, "…")


def test_mermaid_has_every_step_and_way_and_marks_what_was_executed(graph: Graph) -> None:
    """Characters that mean something to Mermaid are written its way."""
    text = mermaid([graph])

    assert text.startswith("flowchart TD\n")
    assert len(re.findall(r"-->|==>", text)) == len(graph.edges)
    assert text.count("==>") == 4
    assert "slots.kind == #quot;urgent#quot;" in text
    marked = re.search(r"class ([\w,]+) run", text)
    assert marked is not None
    assert len(marked[1].split(",")) == 4


def test_mermaid_frames_several_flows(flows: dict[str, Flow]) -> None:
    """Each id occurs in one of them only."""
    text = mermaid([graph_of(flow) for flow in flows.values()])

    assert text.count("subgraph ") == text.count("  end\n") == 2
    assert "classDef" not in text
    ids = re.findall(r"^\s+(f\dn\d+)[\[({]", text, re.MULTILINE)
    assert len(ids) == len(set(ids))


def test_svg_is_a_picture_on_its_own_with_every_step(graph: Graph) -> None:
    """Well formed, nothing from elsewhere, nothing lies over another box or outside."""
    root = ElementTree.fromstring(svg(graph))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    nodes = root.findall(f"{space}g[@class='node']") + root.findall(f"{space}g[@class='node run']")
    edges = [g for g in root.findall(f"{space}g") if g.attrib["class"].startswith("edge")]
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        for g in nodes
        for rect in g.findall(f"{space}rect")
    ]

    assert len(boxes) == len(graph.nodes)
    assert len(edges) == len({(edge.source, edge.target) for edge in graph.edges})
    assert len([g for g in nodes if g.attrib["class"] == "node run"]) == 4
    assert root.attrib["aria-label"] == 'book <it> & "more"'
    assert "http" not in svg(graph).replace("http://www.w3.org/2000/svg", "")
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for n, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[n + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_a_flow_that_was_not_executed_has_nothing_marked(flows: dict[str, Flow]) -> None:
    """START neither."""
    plain = graph_of(flows["other"])

    assert not any(plain.was_executed(node) for node in plain.nodes)
    assert 'class="node run"' not in svg(plain)


def test_the_same_flow_is_drawn_the_same_way(graph: Graph) -> None:
    """So that a picture in a repository changes with its flow only."""
    assert (svg(graph), mermaid([graph])) == (svg(graph), mermaid([graph]))
