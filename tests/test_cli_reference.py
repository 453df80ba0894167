"""docs/reference/cli.md is made from the parser: every verb with its flags, in the words of `--help`.

Write it anew with ``python -m tests.test_cli_reference``.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from action_server.cli.command_line import VERBS, build_parser
from action_server.config.flags import flag_of
from action_server.config.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
INTRODUCTION = """\
# Command line

`action-server VERB`, or `python -m action_server VERB`. Without a verb it runs the server, with the flags of
`python -m rasa_sdk`.

Exit codes: 0 is fine, 1 is a failed call or one that will fail, 2 is wrong usage or settings, 130 is Ctrl-C. `--json`
is for machines; colour is for terminals (`NO_COLOR` switches it off).

Flags that are settings, which `run` and `doctor` take all of and other verbs some, are in [settings](settings.md).
"""
_FLAGS = [flag_of(field) for field in Settings.model_fields.values()]
_SETTINGS = {name for flag in _FLAGS if flag is not None for name in flag.names} | {"-v", "-vv", "--quiet"}


def page() -> str:
    """Return the whole page."""
    contents = "\n".join(f"| [`{' '.join(verb.words)}`](#{'-'.join(verb.words)}) | {verb.text} |" for verb in VERBS)
    sections = "\n".join(section for verb in VERBS for section in _section(verb.words))
    return f"{INTRODUCTION}\n| verb | what it does |\n|---|---|\n{contents}\n\n{sections}"


def _section(words: tuple[str, ...]) -> Iterator[str]:
    parser = _parser_of(words)
    yield f"## {' '.join(words)}\n"
    for paragraph in (parser.description or "").strip().split("\n\n"):
        # Examples are indented, as in `--help`.
        is_code = paragraph.startswith("  ")
        yield f"```console\n{textwrap.dedent(paragraph)}\n```\n" if is_code else f"{_escaped(paragraph)}\n"
    shown = [
        action
        for action in parser._actions
        if action.help != argparse.SUPPRESS and "--help" not in action.option_strings
    ]
    own = [action for action in shown if not set(action.option_strings) & _SETTINGS or not action.option_strings]
    if own:
        yield "| | what it is |\n|---|---|"
        yield from (f"| {_name(action)} | {_text(action)} |" for action in own)
        yield ""
    settings = sorted(action.option_strings[-1] for action in shown if action not in own)
    if settings:
        every = len(settings) > len(_SETTINGS) // 2
        listed = "every one of them" if every else ", ".join(f"`{name}`" for name in settings)
        yield f"Settings: {listed}.\n"


def _parser_of(words: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = build_parser(words)
    for word in words:
        (below,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = below.choices[word]
    return parser


def _name(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar or ())
    if not value and action.choices is not None:
        value = "|".join(map(str, action.choices))
    if not action.option_strings:
        return f"`{_escaped(value or action.dest)}`"
    takes = f" {value}" if value and action.nargs != 0 else ""
    return ", ".join(f"`{name}`" for name in action.option_strings) + (f" `{_escaped(takes.strip())}`" if takes else "")


def _text(action: argparse.Action) -> str:
    text = " ".join((action.help or "").replace("%%", "%").split())
    return _escaped(text.replace("%(default)s", str(action.default)))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def test_the_page_is_what_the_parser_says() -> None:
    """A new flag stands in the reference; ``python -m tests.test_cli_reference`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_flag_says_what_it_is() -> None:
    """No verb has a flag without a word about it."""
    silent = [
        f"{' '.join(verb.words)} {action.dest}"
        for verb in VERBS
        for action in _parser_of(verb.words)._actions
        if not action.help
    ]

    assert silent == []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is written\n")
