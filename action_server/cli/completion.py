"""The verb `completion`: prints what lets a shell complete verbs and flags."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping

DESCRIPTION = """\
Print a script that lets your shell complete the verbs and their flags.

  bash, in .bashrc: source <(action-server completion bash)
  zsh, in .zshrc:   source <(action-server completion zsh)
  fish:             action-server completion fish | source"""
SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# Made by `action-server completion {shell}`.
_action_server() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
    case "${{COMP_WORDS[1]:-}} ${{COMP_WORDS[2]:-}}" in
{cases}
    esac
    [ "$COMP_CWORD" -eq 1 ] && words="{verbs}"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${{#COMPREPLY[@]}} -eq 0 ] && COMPREPLY=($(compgen -f -- "$word"))
    return 0
}}
complete -F _action_server action-server
"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the verb."""
    parser.add_argument("shell", choices=SHELLS, help="the shell it is for")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the script."""
    sys.stdout.write(_fish() if args.shell == "fish" else _bash(args.shell))
    return 0


def _flags_of() -> dict[tuple[str, ...], list[str]]:
    """Return the flags of each verb that can be used here; the verbs are the command line's own list."""
    from action_server.cli.command_line import VERBS, Parser
    from action_server.errors import SettingsError

    found = {}
    for verb in VERBS:
        parser = Parser("x")
        # Where its packages are not installed, its name can be completed all the same.
        with contextlib.suppress(SettingsError):
            verb.load().add_flags(parser)
        found[verb.words] = sorted(flag for flag in parser.flags if flag.startswith("--"))
    return found


def _first_words(flags: Mapping[tuple[str, ...], list[str]]) -> list[str]:
    return list(dict.fromkeys(words[0] for words in flags))


def _bash(shell: str) -> str:
    flags = _flags_of()
    cases = []
    for words, names in flags.items():
        pattern = f'"{words[0]} {words[1]}"*' if len(words) > 1 else f'"{words[0]} "*'
        cases.append(f'        {pattern}) words="{" ".join(names)}" ;;')
    for group in {words[0]: None for words in flags if len(words) > 1}:
        below = " ".join(words[1] for words in flags if words[0] == group and len(words) > 1)
        cases.append(f'        "{group} "*) words="{below}" ;;')
    script = _BASH.format(shell=shell, cases="\n".join(cases), verbs=" ".join(_first_words(flags)))
    # zsh runs bash's completions once it is told to.
    return (
        f"#compdef action-server\nautoload -U +X bashcompinit && bashcompinit\n{script}" if shell == "zsh" else script
    )


def _fish() -> str:
    from action_server.cli.command_line import GROUPS, VERBS

    lines = ["# Made by `action-server completion fish`."]
    texts = {verb.words: verb.text for verb in VERBS}
    flags = _flags_of()
    for first in _first_words(flags):
        text = texts.get((first,)) or GROUPS[first][0]
        lines.append(f"complete -c action-server -n __fish_use_subcommand -a {first} -d '{_quoted(text)}'")
    for words, names in flags.items():
        seen = " ; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
        if len(words) > 1:
            lines.append(
                f"complete -c action-server -n '__fish_seen_subcommand_from {words[0]}' -a {words[1]} "
                f"-d '{_quoted(texts[words])}'"
            )
        lines += [f"complete -c action-server -n '{seen}' -l {name.removeprefix('--')}" for name in names]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("'", "\\'")
