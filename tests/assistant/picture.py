"""The picture of the README: its conversation in a terminal. ``python -m tests.assistant.picture`` draws it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "chat.svg"
_SVG = "http://www.w3.org/2000/svg"
COMMAND = "$ action-server chat --fresh"
_LINE, _WIDTH, _MARGIN = 20, 900, 24
# No width is more than this at 13 px in a monospaced face.
_COLUMNS = 109
_STYLE = """
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre; fill: #1f2328; }
  .frame { fill: #f6f8fa; stroke: #d0d7de; }
  .you { font-weight: bold; }
  .choice { fill: #59636e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .frame { fill: #0d1117; stroke: #30363d; }
    .choice { fill: #9198a1; }
  }
"""


def conversation() -> list[str]:
    """Return the lines of the README's conversation, the command first."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    shown: str = next(block for block in blocks if block.startswith(COMMAND))
    return shown.splitlines()


def draw(lines: Sequence[str]) -> str:
    """Draw lines of a terminal; what is said to the assistant is bold, what can be clicked is pale."""
    wrapped = [part for line in lines for part in _wrap(line)]
    height = 2 * _MARGIN + _LINE * len(wrapped)
    return "\n".join(
        [
            f'<svg xmlns="{_SVG}" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="what">',
            '<title id="what">A conversation with the clinic in a terminal</title>',
            f"<style>{_STYLE}</style>",
            f'<rect class="frame" x="1" y="1" width="{_WIDTH - 2}" height="{height - 2}" rx="10"/>',
            *(_draw_line(number, line) for number, line in enumerate(wrapped)),
            "</svg>\n",
        ]
    )


def _wrap(line: str) -> Iterator[str]:
    while len(line) > _COLUMNS:
        cut = line.rfind(" ", 0, _COLUMNS)
        yield line[:cut]
        line = f"     {line[cut + 1 :]}"
    yield line


def _draw_line(number: int, line: str) -> str:
    kind = "you" if line.startswith(("you:", "$ ")) else "choice" if line.startswith("     ") else "bot"
    place = f'x="{_MARGIN}" y="{_MARGIN + _LINE * number + 14}"'
    return f'<text class="{kind}" xml:space="preserve" {place}>{escape(line)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(conversation()), encoding="utf-8")
    sys.stdout.write(f"{PICTURE} is drawn\n")
