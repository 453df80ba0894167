"""Places the steps of a flow and the ways between them, so that no way can run through a step or another way's label.

It is so by construction. Steps stand in rows, each below all that lead to it; between two rows of steps there is one
for labels. A way that passes a row has a place of its own there, as wide as its label if that is the one for it, and
is straight within the row. It bends only between rows, where nothing stands.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# In pixels: around everything, between two things in a row, at least between two rows, and what stays straight there.
_PADDING, _GAP_X, _GAP_Y, _STRAIGHT = 14.0, 26.0, 34.0, 11.0
# How much a gap grows with the widest bend in it.
_SLOPE, _WIDEST_GAP = 0.12, 90.0
# From a way to its label, and to the left of it; a way from a step to itself.
_BESIDE, _LANE, _LOOP = 5.0, 7.0, 20.0
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Where its middle is, from the left."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Route:
    """A way: corners from its source to its target, bent between those of an even number and the next; its label."""

    points: tuple[tuple[float, float], ...]
    label: Box | None
    is_loop: bool = False


@dataclass(frozen=True)
class Layout:
    """Where everything is: steps by id, ways by the ids of both ends."""

    boxes: Mapping[str, Box]
    routes: Mapping[tuple[str, str], Route]
    width: float
    height: float


@dataclass(eq=False)
class _Place:
    """Something in a row: a step, or a way that passes. ``x`` is its line, ``left`` and ``right`` reach from there."""

    row: int
    left: float
    right: float
    height: float
    node: str = ""
    x: float = 0.0
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)


_Size = tuple[float, float]
_Ends = tuple[str, str]


def lay_out(nodes: Sequence[str], sizes: Mapping[str, _Size], ways: Mapping[_Ends, _Size | None]) -> Layout:
    """Place nodes of these sizes; an earlier one stands higher. ``ways`` are by both ends, with the size of the label.

    The last node stands alone at the bottom.
    """
    return _Layering(nodes, sizes, ways).layout()


class _Layering:
    def __init__(self, nodes: Sequence[str], sizes: Mapping[str, _Size], ways: Mapping[_Ends, _Size | None]) -> None:
        self._ways = ways
        self._order = {node: number for number, node in enumerate(nodes)}
        ranks = self._ranks(nodes)
        index = self._index_of_rows(ranks)
        self._rows: list[list[_Place]] = [[] for _ in index]
        self._places: dict[str, _Place] = {}
        for node in nodes:
            width, height = sizes[node]
            loop = ways.get((node, node))
            beside = 0.0 if (node, node) not in ways else _LOOP + _BESIDE + (loop[0] if loop else 0.0)
            place = _Place(index[2 * ranks[node]], width / 2, width / 2 + beside, height, node)
            self._places[node] = place
            self._rows[place.row].append(place)
        self._chains = {ends: self._chain(ends, label) for ends, label in ways.items() if ends[0] != ends[1]}
        self._sizes = sizes

    def _index_of_rows(self, ranks: Mapping[str, int]) -> dict[int, int]:
        """Return the rows there are, steps in even ones and labels in odd ones, by what would be their number."""
        labels = set()
        for ends, label in self._ways.items():
            if label is not None and ends[0] != ends[1]:
                upper, lower = self._from_above(ends)
                labels.add(2 * ranks[upper] + 1 if (upper, lower) == ends else 2 * ranks[lower] - 1)
        return {row: number for number, row in enumerate(sorted({2 * rank for rank in ranks.values()} | labels))}

    def _ranks(self, nodes: Sequence[str]) -> dict[str, int]:
        """Return the row of each node: below all that stand before it in the order and share a way with it."""
        before: dict[str, list[str]] = {node: [] for node in nodes}
        for ends in self._ways:
            if ends[0] != ends[1]:
                upper, lower = self._from_above(ends)
                before[lower].append(upper)
        ranks = {nodes[0]: 0}
        for node in nodes[1:]:
            # One that no way leads to stands in the first row below the start.
            ranks[node] = max((ranks[other] + 1 for other in before[node]), default=1)
        others = [rank for node, rank in ranks.items() if node != nodes[-1]]
        ranks[nodes[-1]] = max([ranks[nodes[-1]], *(rank + 1 for rank in others)])
        return ranks

    def _from_above(self, ends: _Ends) -> _Ends:
        source, target = ends
        return ends if self._order[source] < self._order[target] else (target, source)

    def _chain(self, ends: _Ends, label: _Size | None) -> list[_Place]:
        """Give a way its places in the rows that it passes, from above; its label is next to its source."""
        upper, lower = (self._places[node] for node in self._from_above(ends))
        is_down = self._from_above(ends) == ends
        with_label = upper.row + 1 if is_down else lower.row - 1
        chain = [upper]
        for row in range(upper.row + 1, lower.row):
            has_label = label is not None and row == with_label
            wide, high = label if has_label and label is not None else (0.0, 0.0)
            place = _Place(row, _LANE, (_BESIDE + wide) if has_label else _LANE, high)
            self._rows[row].append(place)
            chain.append(place)
        chain.append(lower)
        for one, other in pairwise(chain):
            one.below.append(other)
            other.above.append(one)
        return chain

    def layout(self) -> Layout:
        self._sort_rows()
        self._set_x()
        tops, bottoms = self._set_y()
        boxes = {}
        for node, place in self._places.items():
            width, height = self._sizes[node]
            boxes[node] = Box(place.x - width / 2, tops[place.row], width, height)
        ports = self._ports(boxes)
        routes = {ends: self._route(ends, boxes, ports, tops, bottoms) for ends in self._ways}
        right = max(place.x + place.right for row in self._rows for place in row)
        return Layout(boxes, routes, right + _PADDING, max(bottoms) + _PADDING)

    # -- The order in each row: few ways cross

    def _sort_rows(self) -> None:
        best, fewest = [list(row) for row in self._rows], self._crossings()
        for sweep in range(_SWEEPS):
            rows = self._rows if sweep % 2 == 0 else self._rows[::-1]
            for row, neighbours in zip(rows[1:], rows, strict=False):
                at = {id(place): number for number, place in enumerate(neighbours)}
                row.sort(key=lambda p: _mean([at[id(o)] for o in (*p.above, *p.below) if id(o) in at]))
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self._rows], crossings
        self._rows = best

    def _crossings(self) -> int:
        found = 0
        for row, below in zip(self._rows, self._rows[1:], strict=False):
            at = {id(place): number for number, place in enumerate(below)}
            seen: list[int] = []
            for place in row:
                ends = sorted(at[id(other)] for other in place.below)
                found += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return found

    # -- Left and right: near to what it is joined to

    def _set_x(self) -> None:
        for row in self._rows:
            _push_apart(row, [0.0] * len(row), [1.0] * len(row))
        for sweep in range(2 * _SWEEPS):
            is_down = sweep % 2 == 0
            for row in self._rows[1:] if is_down else self._rows[-2::-1]:
                wishes = [(p.above if is_down else p.below) or [p] for p in row]
                # A way that passes several rows is straight before anything else is.
                straight = [not any(o.node for o in (place, *wish)) for place, wish in zip(row, wishes, strict=True)]
                weights = [4.0 if is_straight else 1.0 for is_straight in straight]
                _push_apart(row, [_mean([o.x for o in others]) for others in wishes], weights)
        left = min(place.x - place.left for row in self._rows for place in row)
        for row in self._rows:
            for place in row:
                place.x += _PADDING - left

    # -- Up and down

    def _set_y(self) -> tuple[list[float], list[float]]:
        """Return where each row begins and ends."""
        tops: list[float] = []
        bottoms: list[float] = []
        y = _PADDING
        for number, row in enumerate(self._rows):
            bend = max((abs(o.x - place.x) for place in row for o in place.above), default=0.0)
            y += 0.0 if number == 0 else min(max(_GAP_Y, bend * _SLOPE + 2 * _STRAIGHT), _WIDEST_GAP)
            tops.append(y)
            y += max(place.height for place in row)
            bottoms.append(y)
        return tops, bottoms

    # -- Ways

    def _ports(self, boxes: Mapping[str, Box]) -> dict[tuple[_Ends, str, bool], float]:
        """Return where each way leaves or enters a step: beside each other, in the order in which they go on."""
        found: dict[tuple[_Ends, str, bool], float] = {}
        at: dict[tuple[str, bool], list[tuple[float, _Ends]]] = {}
        for ends, chain in self._chains.items():
            at.setdefault((chain[0].node, True), []).append((chain[1].x, ends))
            at.setdefault((chain[-1].node, False), []).append((chain[-2].x, ends))
        for (node, is_below), ways in at.items():
            box = boxes[node]
            step = min(24.0, (box.width - 16) / max(1, len(ways) - 1))
            first = box.middle - step * (len(ways) - 1) / 2
            for number, (_, ends) in enumerate(sorted(ways, key=lambda way: (way[0], way[1]))):
                found[ends, node, is_below] = first + number * step
        return found

    def _route(
        self,
        ends: _Ends,
        boxes: Mapping[str, Box],
        ports: Mapping[tuple[_Ends, str, bool], float],
        tops: Sequence[float],
        bottoms: Sequence[float],
    ) -> Route:
        label = self._ways[ends]
        if ends[0] == ends[1]:
            return _loop(boxes[ends[0]], label)
        chain = self._chains[ends]
        upper, lower = chain[0], chain[-1]
        x = ports[ends, upper.node, True]
        box = boxes[upper.node]
        points = [(x, box.y + box.height), (x, bottoms[upper.row] + _STRAIGHT)]
        found = None
        for place in chain[1:-1]:
            points += [(place.x, tops[place.row]), (place.x, bottoms[place.row])]
            if label is not None and place.height:
                found = Box(place.x + _BESIDE, tops[place.row], *label)
        x = ports[ends, lower.node, False]
        points += [(x, tops[lower.row] - _STRAIGHT), (x, tops[lower.row])]
        is_down = self._from_above(ends) == ends
        return Route(tuple(points if is_down else points[::-1]), found)


def _loop(box: Box, label: _Size | None) -> Route:
    right, top, bottom = box.x + box.width, box.y + box.height * 0.25, box.y + box.height * 0.75
    beside = Box(right + _LOOP + _BESIDE, box.y + (box.height - label[1]) / 2, *label) if label else None
    return Route(((right, top), (right + _LOOP, top), (right + _LOOP, bottom), (right, bottom)), beside, is_loop=True)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _push_apart(row: Sequence[_Place], wishes: Sequence[float], weights: Iterable[float]) -> None:
    """Give the places of a row the positions nearest to what they wish, in their order and apart from each other.

    It is the regression that keeps an order: those that would come too close move to the mean of their wishes.
    """
    offsets = [0.0]
    for one, other in pairwise(row):
        offsets.append(offsets[-1] + one.right + _GAP_X + other.left)
    # Each block: the mean of its wishes, their weight, and how many places are in it.
    blocks: list[tuple[float, float, int]] = []
    for wish, offset, weight in zip(wishes, offsets, weights, strict=False):
        block = (wish - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    means = [mean for mean, _, count in blocks for _ in range(count)]
    for place, mean, offset in zip(row, means, offsets, strict=False):
        place.x = mean + offset
