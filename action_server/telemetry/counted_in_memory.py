"""The series of a server of one process: read from prometheus_client's metrics, which hold their numbers in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from action_server.telemetry.metric_families import FAMILIES_BY_NAME, Families, Family
from action_server.telemetry.page_lines import PageFamily, histogram_lines, histogram_numbers, number, one_line

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class CountedInMemory:
    """What the page is made of. The library's own way makes an object, and its text, for each number of each page."""

    def __init__(self, families: Families) -> None:
        self._families = families
        # By the name of a family, then by its values of the labels.
        self._lines: dict[str, dict[tuple[str, ...], str]] = {}

    def families(self, pause: Callable[[], None]) -> Iterator[PageFamily]:
        """Return our own families, with what they are now."""
        for attribute, family in FAMILIES_BY_NAME.items():
            metric: Any = getattr(self._families, attribute)
            children = list(metric._metrics.items()) if family.labels else [((), metric)]
            name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
            yield PageFamily(name, family.kind, family.meaning, self._series(family, children))

    def others(self) -> Iterable[Metric]:
        """Return what actions count themselves."""
        from prometheus_client import REGISTRY

        families = REGISTRY.collect()
        return (_drop_created(one) for one in families if not one.name.startswith(("process_", "python_")))

    def _series(self, family: Family, children: list[tuple[tuple[str, ...], Any]]) -> Iterator[str]:
        lines = self._lines.setdefault(family.name, {})
        for values, child in children:
            text = lines.get(values)
            if text is None:
                text = lines[values] = _lines_of(family, values, child)
            if family.kind == "histogram":
                counts = (bucket.get() for bucket in child._buckets)
                yield text % tuple(histogram_numbers(counts, child._sum.get()))
            else:
                yield text % number(child._value.get())


def _lines_of(family: Family, values: tuple[str, ...], child: Any) -> str:
    labels = dict(zip(family.labels, values, strict=True))
    if family.kind == "histogram":
        return histogram_lines(family.name, labels, child._upper_bounds)
    return one_line(family.name, labels)


def _drop_created(family: Metric) -> Metric:
    # A second series for each counter and histogram, which says nothing and which several workers do not have.
    if family.type in ("counter", "histogram", "summary"):
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    return family
