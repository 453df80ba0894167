"""Texts from outside on a terminal: what would steer it is written out, so that nothing poses as our own words."""

from __future__ import annotations

import re

# Control characters (C0 but the tab, DEL, C1), line and paragraph separators, what turns the direction of writing, and
# halves of surrogate pairs. Joiners and variation selectors stay: emoji and several scripts are made of them.
_STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r"}


def escape_controls(text: str) -> str:
    r"""Return a text on one line, with `\x1b`, `\n` or `\u202e` for characters that steer a terminal."""
    return _STEERING.sub(_escape, text)


def escape_lines(text: str) -> str:
    """Return a text of several lines, each escaped; only for line breaks that are this program's own."""
    return "\n".join(map(escape_controls, text.split("\n")))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
