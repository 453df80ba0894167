"""The page for Prometheus: written piece by piece, with a pause after each in which the event loop gets its turn."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from action_server.telemetry.page_lines import PageFamily

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

# As many series as are written without a pause, half a millisecond or so. Without pauses a call that comes in the
# meantime waits for Python's lock again and again, up to 5 ms each time (sys.getswitchinterval).
SERIES_AT_ONCE = 50
# Long enough that whoever waits for the lock has it.
_PAUSE = 0.0001
_END = "# EOF\n"
# gzip's format, the fastest: a page is a tenth of its size, and the higher levels save little of that.
_GZIP, _LEVEL = zlib.MAX_WBITS | 16, 1

Encode = Callable[["Collector"], bytes]


class Counted(Protocol):
    """Where the numbers are: in memory or in files."""

    def families(self, pause: Callable[[], None]) -> Iterator[PageFamily]:
        """Return the families whose lines are made here; ``pause`` is for what takes long before the first."""
        ...

    def others(self) -> Iterable[Metric]:
        """Return those that prometheus_client writes itself."""
        ...


@dataclass(frozen=True)
class Page:
    """What the request is answered with."""

    body: bytes
    content_type: str
    headers: dict[str, str]


@dataclass(frozen=True)
class _Collected:
    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _pause() -> None:
    time.sleep(_PAUSE)


def write_page(
    counted: Counted, accept: str | None, accept_encoding: str | None, pause: Callable[[], None] = _pause
) -> Page:
    """Write the page in the format, and packed, as the two headers of the request ask for."""
    from prometheus_client.exposition import choose_encoder

    try:
        encode, content_type = choose_encoder(accept or "")
    except (TypeError, ValueError):
        # It reads versions out of the header without expecting anything else there.
        encode, content_type = choose_encoder("")
    headers = {"Vary": "Accept, Accept-Encoding"}
    pieces = _pieces(counted, encode, pause)
    if not _takes_gzip(accept_encoding or ""):
        return Page(b"".join(pieces), content_type, headers)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    body = b"".join([*map(packer.compress, pieces), packer.flush()])
    return Page(body, content_type, {**headers, "Content-Encoding": "gzip"})


def _pieces(counted: Counted, encode: Encode, pause: Callable[[], None]) -> Iterator[bytes]:
    texts: list[str] = []
    for text in _texts(counted, encode, pause):
        texts.append(text)
        if len(texts) >= SERIES_AT_ONCE:
            yield "".join(texts).encode()
            texts.clear()
            pause()
    yield "".join(texts).encode()
    # With the end, where the format has one.
    yield _encoded(encode, counted.others()).encode()


def _texts(counted: Counted, encode: Encode, pause: Callable[[], None]) -> Iterator[str]:
    from prometheus_client.metrics_core import Metric

    for family in counted.families(pause):
        yield _encoded(encode, [Metric(family.name, family.meaning, family.kind)]).removesuffix(_END)
        yield from family.series


def _encoded(encode: Encode, families: Iterable[Metric]) -> str:
    return encode(cast("Collector", _Collected(list(families)))).decode()


def _takes_gzip(accept_encoding: str) -> bool:
    """Tell whether an ``Accept-Encoding`` takes gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.strip().removeprefix("q=").strip("0.") if weight else "1"
    return bool(weights.get("gzip", weights.get("x-gzip", weights.get("*"))))
