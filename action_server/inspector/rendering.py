"""Makes the pages of their templates: every value is escaped, and shown so that it steers nothing."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from action_server.findings.escaping import escape_controls, escape_lines
from action_server.source import parse_place

# Of one value, in characters: a browser that lays out a megabyte stands still.
_LONGEST = 20_000


class Pages:
    """The templates. ``may_run`` tells whether they offer to run calls."""

    def __init__(self, *, may_run: bool) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(line=line, text=text, json=as_json, clock=clock, ms=milliseconds)
        self._templates.globals.update(may_run=may_run, place_link=place_link, outside_link=outside_link)

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


def line(value: object) -> str:
    """Return a text on one line."""
    return _cut(escape_controls(str(value)))


def text(value: object) -> str:
    """Return a text of several lines."""
    return _cut(escape_lines(str(value)))


def as_json(value: object) -> str:
    """Return a value as people read JSON."""
    return text(json.dumps(value, indent=2, ensure_ascii=False))


def clock(at: float) -> str:
    """Return the time of day of a moment, in this machine's zone, to the millisecond."""
    return datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="milliseconds")[11:23]


def milliseconds(value: float | None) -> str:
    """Return a duration in as many digits as mean something."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters)"
