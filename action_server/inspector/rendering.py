"""Makes the pages of their templates: every value is escaped, and shown so that it steers nothing."""

from __future__ import annotations

import json
import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from action_server.findings.escaping import escape_controls, escape_lines
from action_server.source import parse_place
from action_server.telemetry.durations import length

# Of one value, in characters: a browser that lays out a megabyte stands still.
_LONGEST = 20_000
# A text up to this many characters is one of a list, which has it more than once.
_SHORT = 400
# After so many seconds a time of day says too little.
_LONG_AGO = 12 * 3600.0


class Pages:
    """The templates. ``may_run`` tells whether they offer to run calls."""

    def __init__(self, *, may_run: bool, has_jobs: bool = False) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._templates = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # They are installed with the server: it looks at no file's time for each row of a list.
            auto_reload=False,
        )
        self._templates.filters.update(
            line=line, text=text, json=as_json, clock=clock, moment=moment, ms=milliseconds, span=span, stored=stored
        )
        self._templates.globals.update(may_run=may_run, has_jobs=has_jobs)
        self._templates.globals.update(place_link=place_link, outside_link=outside_link)

    def render(self, template: str, **values: Any) -> str:
        """Return a page."""
        return self._templates.get_template(template).render(**values)


def place_link(place: str) -> Markup:
    """Return ``file:line`` as a link that an editor opens, as far as the browser knows one for ``vscode:``."""
    found = parse_place(place)
    if found is None or not found.file:
        return escape(line(place))
    target = f"vscode://file{quote(str(Path(found.file).absolute()))}:{found.line}"
    return Markup('<a href="{}"><code>{}</code></a>').format(target, line(place))


def outside_link(address: object) -> Markup:
    """Return an address as a link, if it is one of the web; nothing is fetched from there."""
    shown = line(address)
    if not str(address).lower().startswith(("http://", "https://")):
        return escape(shown)
    return Markup('<a href="{}" rel="noopener noreferrer" target="_blank">{}</a>').format(str(address), shown)


def line(value: object) -> Markup:
    """Return a text on one line, escaped: a list has the same names again and again."""
    text = str(value)
    return _escaped_line(text) if len(text) <= _SHORT else escape(_cut(escape_controls(text)))


@lru_cache(maxsize=4096)
def _escaped_line(text: str) -> Markup:
    return escape(escape_controls(text))


def text(value: object) -> str:
    """Return a text of several lines."""
    return _cut(escape_lines(str(value)))


def as_json(value: object) -> str:
    """Return a value as people read JSON."""
    return text(json.dumps(value, indent=2, ensure_ascii=False))


def stored(content: str) -> str:
    """Return JSON that was written down, as people read it; what is no JSON any more, as it is."""
    try:
        return as_json(json.loads(content))
    except (ValueError, RecursionError):
        return content


def clock(at: float) -> str:
    """Return the time of day of a moment, in this machine's zone, to the millisecond; of one long ago the day, too."""
    if time.time() - at > _LONG_AGO:
        return f"{datetime.fromtimestamp(at).astimezone():%d %b %H:%M}"
    second = int(at)
    return f"{_time_of_day(second)}.{int((at - second) * 1_000):03d}"


def moment(at: float) -> str:
    """Return a moment with its day, in this machine's zone."""
    return datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]


@lru_cache(maxsize=256)
def _time_of_day(second: int) -> str:
    return f"{datetime.fromtimestamp(second).astimezone():%H:%M:%S}"


def milliseconds(value: float | None) -> str:
    """Return a duration in as many digits as mean something."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def span(seconds: float | None) -> str:
    """Return a length of time in the unit that fits."""
    return "-" if seconds is None else length(seconds)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters)"
