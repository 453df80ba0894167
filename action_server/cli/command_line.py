"""The command line: which verbs there are, and exit codes. Each verb is a module beside this one.

0 is fine, 1 is a failed call or one that will fail, 2 is wrong usage or settings, 130 is Ctrl-C.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, cast

from action_server import __version__
from action_server.cli.console import print_error
from action_server.config.environment import process_environment
from action_server.errors import ActionServerError, SettingsError, StartupError
from action_server.extras import explain_missing
from action_server.findings.escaping import escape_controls
from action_server.nearest import did_you_mean

DESCRIPTION = """\
A custom action server for Rasa assistants. Without a verb it runs, with the flags of `python -m rasa_sdk`."""

# Lines of a usage above which it is left to --help.
_SHORT_USAGE = 8


class VerbModule(Protocol):
    """What each verb's module has; ``DESCRIPTION`` is what its ``--help`` begins with."""

    DESCRIPTION: str

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's flags."""
        ...

    def run(self, args: argparse.Namespace, environment: Mapping[str, str]) -> int:
        """Do what the verb does, and return the exit code."""
        ...


@dataclass(frozen=True)
class Verb:
    """What is typed, the line about it in ``--help``, and its module."""

    words: tuple[str, ...]
    text: str
    module: str

    def load(self) -> VerbModule:
        """Import the verb's module.

        Raises:
            SettingsError: its packages are not installed.
        """
        try:
            return cast("VerbModule", importlib.import_module(f"action_server.cli.{self.module}"))
        except ModuleNotFoundError as exc:
            raise self.missing(exc) from None

    def missing(self, error: ModuleNotFoundError) -> Exception:
        """Return the error to raise for a package that is not there: one line if an extra brings it."""
        said = explain_missing(error)
        return SettingsError(" ".join(self.words), said) if said else error


VERBS = (
    Verb(("run",), "serve the actions", "run"),
    Verb(("start",), "the same as run; what the official image's users type", "run"),
    Verb(("list",), "list the actions", "list"),
    Verb(("call",), "call one action", "call"),
    Verb(("tools",), "show the actions that are offered as tools, as models see them", "tools"),
    Verb(("contract",), "examine a server, ours or any other, against what engines expect", "contract"),
    Verb(("replay",), "run recorded calls again and show what changed", "replay"),
    Verb(("stubs",), "make stubs for end-to-end tests of recorded calls, and check them", "stubs"),
    Verb(("types",), "write a module of typed slots, made of the domain", "types"),
    Verb(("new",), "make a project, or add what is missing to one", "new"),
    Verb(("completion",), "print what lets a shell complete verbs and flags", "completion"),
    Verb(("services",), "ask every service whether it works", "services"),
    Verb(("doctor",), "find what will fail at run time", "doctor"),
    Verb(("check",), "find where code, domain and flows disagree", "check"),
    Verb(("chat",), "talk to an assistant's flows", "chat"),
    Verb(("idempotency", "list"), "list the runs that have no answer", "idempotency.list"),
    Verb(("idempotency", "free"), "let calls run again whose outcome was unknown", "idempotency.free"),
    Verb(("jobs", "list"), "list the jobs that wait, run or were given up", "jobs.list"),
    Verb(("jobs", "show"), "show one job", "jobs.show"),
    Verb(("jobs", "retry"), "let a job that was given up be run again", "jobs.retry"),
    Verb(("jobs", "cancel"), "cancel a job", "jobs.cancel"),
    Verb(("jobs", "work"), "run jobs without serving calls", "jobs.work"),
    Verb(("help",), "print a page of the documentation", "help"),
    Verb(("flows", "test"), "run end-to-end tests in Rasa's format against the actions", "flows_test"),
    Verb(("flows", "graph"), "draw flows as Mermaid or SVG", "flows_graph"),
)
# What begins several verbs: the line about it in `--help`, and its description.
GROUPS = {
    "flows": ("test flows, draw flows", "Test and draw CALM flows."),
    "jobs": ("see to work that outlives its call", "See to jobs: work that actions ask for and that runs later."),
    "idempotency": ("list and free runs whose outcome is unknown", "See to the actions that run once."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; Ctrl-C passes."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "run")
    # As `python -m` does it: the console script's own folder would come first, and the project beside us not at all.
    if sys.path[0] != os.getcwd():
        sys.path.insert(0, os.getcwd())
    try:
        args = parse(given) if arguments is not None else _parse_uncollected(given)
        code: int = args.run_verb(args, process_environment())
        sys.stdout.flush()
    except StartupError as exc:
        print_error(f"error: {exc}")
        return 2
    except ActionServerError as exc:
        print_error(f"error: {exc}")
        return 1
    except ModuleNotFoundError as exc:
        said = explain_missing(exc)
        if said is None:
            raise
        print_error(f"error: {given[0]}: {said}")
        return 2
    except BrokenPipeError:
        # Whoever read it has seen enough. Python would complain once more at the end, when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parse_uncollected(given: Sequence[str]) -> argparse.Namespace:
    """Parse, in a program of its own: what that imports stays to the end.

    Looking through it for garbage, again and again and once more at the end, took a sixth of a short run.
    """
    gc.disable()
    try:
        return parse(given)
    finally:
        gc.freeze()
        gc.enable()


def parse(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line. What there is not ends the program with 2, and with the name that may have been meant.

    Raises:
        SettingsError: the packages of the verb are not installed.
    """
    parser = build_parser(given)
    _refuse_unknown_verb(parser, given)
    args, unknown = parser.parse_known_args(given)
    if "slots" in args:
        # argparse takes positional arguments up to the first flag only.
        args.slots += [word for word in unknown if _is_slot(word)]
        unknown = [word for word in unknown if not _is_slot(word)]
    if unknown:
        verb: Parser = args.verb_parser
        flag = unknown[0].partition("=")[0]
        verb.error(f"there is no {unknown[0]}{did_you_mean(flag, verb.flags)}")
    return args


def _refuse_unknown_verb(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    words = [verb.words for verb in VERBS]
    for position, word in enumerate(given):
        known = {of[position] for of in words if len(of) > position and of[:position] == tuple(given[:position])}
        if not known or word.startswith("-"):
            return
        if word not in known:
            wrong = " ".join(given[: position + 1])
            parser.error(f"there is no verb {wrong!r}{did_you_mean(word, known) or _those_of(known, position)}")


def _those_of(known: Iterable[str], position: int) -> str:
    return f"; there is {' and '.join(sorted(known))}" if position else ""


def _is_slot(word: str) -> bool:
    return "=" in word and not word.startswith("-")


class Parser(argparse.ArgumentParser):
    """The parser of the program and of each of its verbs: what holds for all of them stands here."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"formatter_class": ParagraphFormatter, **kwargs})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how the verb is used if that is short: forty flags would hide the reason."""
        # It quotes the command line, which a script may have put together of anything.
        message = escape_controls(message)
        if self.format_usage().count("\n") <= _SHORT_USAGE:
            super().error(message)
        # Who hears the nearest name needs no list.
        more = "" if message.endswith("?") else f"; `{self.prog} --help` lists the flags"
        self.exit(2, f"{self.prog}: error: {message}{more}\n")

    @property
    def flags(self) -> list[str]:
        """The flags there are, as they are typed."""
        return list(self._option_string_actions)


class ParagraphFormatter(argparse.HelpFormatter):
    """Keeps the paragraphs of descriptions apart, and lines as they are where one is indented: examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        paragraphs = text.split("\n\n")
        return "\n\n".join(p if "\n " in p else fill(p, width, indent) for p in paragraphs)


def build_parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the program. Only the verb that was ``given`` is imported and gets its flags.

    Raises:
        SettingsError: the packages of that verb are not installed.
    """
    parser = Parser("action-server", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"action-server {__version__}")
    top = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    verbs: dict[tuple[str, ...], argparse._SubParsersAction[Parser]] = {(): top}
    for verb in VERBS:
        *group, name = verb.words
        key = tuple(group)
        if key not in verbs:
            text, description = GROUPS[key[0]]
            below = top.add_parser(key[0], help=text, description=description)
            verbs[key] = below.add_subparsers(title="verbs", metavar="VERB", required=True)
        added = verbs[key].add_parser(name, help=verb.text)
        if tuple(given[: len(verb.words)]) == verb.words:
            module = verb.load()
            added.description = module.DESCRIPTION
            module.add_flags(added)
            added.set_defaults(run_verb=module.run, verb_parser=added)
    return parser
