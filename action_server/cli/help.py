"""The verb `help`: prints the pages of the documentation, which a wheel brings along."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_json_flag
from action_server.errors import SettingsError
from action_server.findings.escaping import escape_lines
from action_server.nearest import did_you_mean

DESCRIPTION = """\
Print a page of the documentation, or list the pages there are. The name of a verb that has no page prints its flags.

  action-server help
  action-server help authenticate
  action-server help when-actions-fail | less"""

_PACKAGE = Path(__file__).parents[1]
# Beside the package in a clone, inside of it in a wheel.
_FOLDERS = (_PACKAGE / "docs", _PACKAGE.parent / "docs")
# Longer lines are hard to read.
_WIDTH = 100


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("topic", nargs="*", help="a page, or a verb (default: list the pages)")
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print a page, or the list of them.

    Raises:
        SettingsError: there is no such page; names the one that may have been meant.
    """
    from action_server.cli.command_line import GROUPS, VERBS, build_parser

    found = pages()
    if not args.topic:
        _list(found, as_json=args.json)
        return 0
    topic = " ".join(args.topic)
    if page := found.get(topic.removesuffix(".md").rpartition("/")[2]):
        _print(page.read_text(encoding="utf-8"), as_json=args.json)
        return 0
    verbs = {*GROUPS, *(" ".join(verb.words) for verb in VERBS)}
    if topic in verbs:
        build_parser(args.topic).parse_args([*args.topic, "--help"])
    hint = did_you_mean(topic, {*found, *verbs}) or "; `action-server help` lists those there are"
    raise SettingsError("help", f"there is no page {topic!r}{hint}")


def pages() -> dict[str, Path]:
    """Return the pages by their names, in the order of the alphabet."""
    folder = next((one for one in _FOLDERS if one.is_dir()), None)
    return {page.stem: page for page in sorted(folder.rglob("*.md"), key=lambda p: p.stem)} if folder else {}


def _list(found: Mapping[str, Path], *, as_json: bool) -> None:
    titles = {name: page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name, page in found.items()}
    if as_json:
        print_json(titles)
        return
    table = make_table("topic", "page")
    for name, title in titles.items():
        table.add_row(name, title)
    make_console().print(table)


def _print(text: str, *, as_json: bool) -> None:
    """Print a page as a terminal shows it best; through a pipe, as it is written."""
    if as_json:
        print_json({"text": text})
        return
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    from rich.markdown import Markdown

    console = make_console()
    console.print(Markdown(escape_lines(text), hyperlinks=False), width=min(console.width, _WIDTH))
