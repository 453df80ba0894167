"""In a drawing no way runs through a step or through another way's label, whatever the flow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_server.flows.graph.drawing import svg
from action_server.flows.graph.graph import graph_of
from action_server.flows.graph.layout import Box, Layout, lay_out
from action_server.project.flows import Flow
from action_server.project.project_reader import read_project

ROOT = Path(__file__).parents[4]
SVG = "{http://www.w3.org/2000/svg}"
# Of a text of 11 px, in pixels: what stands over its line, and how wide a letter is.
ASCENT, HEIGHT, LETTER = 10, 13, 6.1
Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]


@cache
def all_flows() -> dict[str, Flow]:
    """Every flow of a project in the repository, and the patterns of the engine."""
    folders = {f.parent for f in [*ROOT.glob("tests/**/domain.yml"), *ROOT.glob("assistant/**/domain.yml")]}
    found: dict[str, Flow] = {}
    for folder in sorted(folders):
        project = read_project(folder)
        where = folder.relative_to(ROOT)
        found |= {f"{where}:{name}": flow for name, flow in project.all_flows.items() if flow.steps}
    return found


def sampled(path: str) -> list[Point]:
    """Points of a path of M, L, V and C, close to each other."""
    points: list[Point] = []
    for command, text in re.findall(r"([MLVC])([^MLVC]*)", path):
        numbers = [float(number) for number in text.split()]
        if command == "M":
            points.append((numbers[0], numbers[1]))
            continue
        x, y = points[-1]
        if command == "C":
            x1, y1, x2, y2, x3, y3 = numbers
        else:
            x3, y3 = (x, numbers[0]) if command == "V" else (numbers[0], numbers[1])
            x1, y1, x2, y2 = x, y, x3, y3
        for step in range(1, 41):
            t, u = step / 40, 1 - step / 40
            weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            points.append(
                (
                    sum(w * v for w, v in zip(weights, (x, x1, x2, x3), strict=True)),
                    sum(w * v for w, v in zip(weights, (y, y1, y2, y3), strict=True)),
                )
            )
    return points


def is_inside(point: Point, box: Rectangle) -> bool:
    x, y, width, height = box
    return x + 0.2 < point[0] < x + width - 0.2 and y + 0.2 < point[1] < y + height - 0.2


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one[0] + one[2] > other[0] + 0.2
        and other[0] + other[2] > one[0] + 0.2
        and one[1] + one[3] > other[1] + 0.2
        and other[1] + other[3] > one[1] + 0.2
    )


def problems_of(drawing: str) -> Iterator[str]:
    """Say what lies over what in a drawing."""
    root = ElementTree.fromstring(drawing)  # noqa: S314 - our own
    groups = [(g.attrib["class"], g) for g in root.findall(f"{SVG}g")]
    boxes = [
        tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        for kind, g in groups
        if kind.startswith("node")
        for rect in g.findall(f"{SVG}rect")
    ]
    labels: list[tuple[int, Rectangle]] = []
    paths: list[tuple[int, list[Point]]] = []
    for number, (_, g) in enumerate(group for group in groups if group[0].startswith("edge")):
        paths += [(number, sampled(path.attrib["d"])) for path in g.findall(f"{SVG}path")]
        for text in g.findall(f"{SVG}text"):
            x, y = float(text.attrib["x"]), float(text.attrib["y"])
            labels.append((number, (x, y - ASCENT, len(text.text or "") * LETTER, HEIGHT)))
    everything: Sequence[Rectangle] = [*boxes, *(label for _, label in labels)]  # type: ignore[list-item]
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    yield from _problems(paths, labels, boxes, everything, width, height)  # type: ignore[arg-type]


def _problems(
    paths: Sequence[tuple[int, list[Point]]],
    labels: Sequence[tuple[int, Rectangle]],
    boxes: Sequence[Rectangle],
    everything: Sequence[Rectangle],
    width: float,
    height: float,
) -> Iterator[str]:
    for number, points in paths:
        for point in points:
            if not (-0.1 <= point[0] <= width + 0.1 and -0.1 <= point[1] <= height + 0.1):
                yield f"way {number} leaves the picture at {point}"
            if any(is_inside(point, box) for box in boxes):
                yield f"way {number} runs through a step at {point}"
            if any(is_inside(point, label) for _, label in labels):
                yield f"way {number} runs through a label at {point}"
    for n, one in enumerate(everything):
        if one[0] < 0 or one[1] < 0 or one[0] + one[2] > width + 0.6 or one[1] + one[3] > height + 0.6:
            yield f"{one} is outside of {width} x {height}"
        yield from (f"{one} lies over {other}" for other in everything[n + 1 :] if overlap(one, other))


@pytest.mark.parametrize("name", sorted(all_flows()))
def test_nothing_lies_over_anything(name: str) -> None:
    assert list(problems_of(svg(graph_of(all_flows()[name])))) == []


def test_the_flows_that_were_drawn_badly_are_among_them() -> None:
    names = {name.rpartition(":")[2] for name in all_flows()}

    assert {"book_appointment", "reschedule_appointment"} <= names
    assert len(all_flows()) > 40


def test_heads_of_arrows_do_not_grow_with_the_line() -> None:
    flow = all_flows()["assistant:book_appointment"]
    marker = re.search(r"<marker [^>]*>", svg(graph_of(flow, [step.id for step in flow.steps])))

    assert marker is not None
    assert 'markerUnits="userSpaceOnUse"' in marker[0]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Anything that steps and ways can be: ways back, to oneself, past many rows, with labels or without."""
    nodes = [f"n{number}" for number in range(draw(st.integers(2, 9)))]
    size = st.tuples(st.integers(20, 200), st.integers(20, 60))
    label = st.none() | st.tuples(st.integers(10, 260), st.integers(14, 44))
    ends = st.tuples(st.sampled_from(nodes[:-1]), st.sampled_from(nodes[1:]))
    ways = draw(st.dictionaries(ends, label, max_size=18))
    return lay_out(nodes, {node: draw(size) for node in nodes}, ways)


@given(layouts())
def test_whatever_the_ways_nothing_lies_over_anything(layout: Layout) -> None:
    def rectangle(box: Box) -> Rectangle:
        return box.x, box.y, box.width, box.height

    boxes = [rectangle(box) for box in layout.boxes.values()]
    labels = [(n, rectangle(r.label)) for n, r in enumerate(layout.routes.values()) if r.label is not None]
    # Between two rows a bend stays between its corners, as a line does.
    paths = [(number, _along(route.points)) for number, route in enumerate(layout.routes.values())]
    found = _problems(paths, labels, boxes, [*boxes, *(box for _, box in labels)], layout.width, layout.height)

    assert list(found) == []


def _along(corners: Sequence[Point]) -> list[Point]:
    points = []
    for (x, y), (x2, y2) in pairwise(corners):
        points += [(x + (x2 - x) * step / 20, y + (y2 - y) * step / 20) for step in range(21)]
    return points
