"""How engines fill in the texts of responses, and tell which variation fits the slots.

What engines do here was run with rasa 3.6.21, and read in rasa-pro 3.21.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from action_server.errors import ResponseError

Fill = Callable[[str, Mapping[str, Any]], str]

# `{name}`: anything but braces, within a line (rasa-pro 3.21.0, read; rasa 3.6.21, run).
_VARIABLE = re.compile(r"\{([^\n{}]+?)\}")


def is_same_value(found: Any, wanted: Any) -> bool:
    """Compare as engines do in the old form of a condition: texts in any case, 5 is 5.0 and true is 1."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    return bool(found == wanted)


def fill_in(value: Any, fill: Fill, values: Mapping[str, Any]) -> Any:
    """Fill in all texts of a part of a response. Raises what ``fill`` raises."""
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, Mapping):
        return {key: fill_in(item, fill, values) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [fill_in(item, fill, values) for item in value]
    return value


def fill_braces(text: str, values: Mapping[str, Any]) -> str:
    """Put values into a text, as engines do with `str.format`.

    One name that is not there leaves the whole text as it is, and so do the braces of JSON and `{context.x}`. An empty
    slot is "None". Braces that are written twice stay, once.

    Raises:
        ResponseError: a brace stands alone.
    """
    there = {name: values[name] for name in _VARIABLE.findall(text) if name in values}
    try:
        filled = _VARIABLE.sub(r"{0[\1]}", text).format(there)
        # A name in double braces: then nothing is filled in, and with a name in single ones nothing is changed at all.
        return text.format({}) if "0[" in filled else filled
    except KeyError:
        return text
    except (ValueError, TypeError, AttributeError, IndexError) as exc:
        raise ResponseError(f"its braces cannot be filled in: {' '.join(str(exc).split())}") from exc


def render_jinja(text: str, values: Mapping[str, Any]) -> str:
    """Render a text of Jinja, as engines do. Needs the extra `flows`.

    Raises:
        ResponseError: it cannot be rendered.
        ModuleNotFoundError: the extra is not installed.
    """
    from jinja2 import UndefinedError

    from action_server.project.conditions import render_template

    try:
        return render_template(text, values)
    except UndefinedError:
        # As engines do: a text that looks into what is not there is said as it is written.
        return text
    except Exception as exc:
        raise ResponseError(f"its Jinja template cannot be rendered: {' '.join(str(exc).split())}") from exc
