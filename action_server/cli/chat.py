"""The verb `chat`: a conversation with an assistant's flows in the terminal, or through a pipe."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import sys
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, TextIO, TypeVar

from action_server.cli.console import make_console, to_json
from action_server.cli.flags import add_json_flag
from action_server.cli.play_flags import add_play_flags, open_project, stage_options
from action_server.cli.project_flags import read_settings
from action_server.cli.prompt import ask
from action_server.config.settings import Settings
from action_server.errors import ActionServerError, DatabaseError, SettingsError
from action_server.findings.escaping import escape_controls
from action_server.findings.output import print_line
from action_server.flows.player.player import Player
from action_server.flows.player.results import Results
from action_server.flows.player.tools import Tools
from action_server.flows.player.trace import Turn
from action_server.flows.player.webhook import Webhook
from action_server.flows.session.failures import FailureLog, capture_failures
from action_server.flows.session.greeting import asks_for_help, commands_help, opening, unknown_command, what_it_can_do
from action_server.flows.session.loop import run_interruptibly
from action_server.flows.session.show import (
    Button,
    Line,
    bot_lines,
    buttons_of,
    explain_turn,
    failure_lines,
    short_json,
    user_line,
)
from action_server.flows.session.stage import TEST_SETTINGS, Stage, open_stage
from action_server.flows.session.turn_json import turn_as_json
from action_server.jobs.marks import MARK
from action_server.project.project import Project

T = TypeVar("T")
DESCRIPTION = """\
Talk to an assistant's flows, without an engine and without a language model. The actions are the real ones.

Through a pipe each line is a message; the transcript is printed, and nothing prompts."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    add_play_flags(parser)
    parser.add_argument(
        "--explain",
        nargs="?",
        const="own",
        choices=["own", "all"],
        help="show what was understood, every step, decision, call and log line; of the engine's own patterns, which "
        "every assistant has, a line each, or with `all` their steps, too",
    )
    parser.add_argument("--fresh", action="store_true", help=f"with the settings of {TEST_SETTINGS}, as in tests")
    parser.add_argument("--sender", metavar="ID", help="the conversation's id (default: a new one)")
    parser.add_argument("--channel", metavar="NAME", default="cmdline", help="the channel (default: cmdline)")
    add_json_flag(parser, "print a JSON object for each turn")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Talk until there is nothing more to say. Returns 1 if a message could not be played, otherwise 0.

    Raises:
        SettingsError: a flag, or a file it names, is wrong; there is no project.
        StartupError: an action or a service cannot be made.
    """
    for stream in (sys.stdin, sys.stdout):
        # Whatever somebody pipes in, and whatever a terminal cannot show: never a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if args.behind:
        raise SettingsError(" ".join(args.behind), "is nothing that can be said: pipe messages in, a line each")
    settings = read_settings(args, environment)
    project = open_project(args)
    with capture_failures(settings) as log:
        try:
            return run_interruptibly(_talk(args, project, settings, environment, log))
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            raise


async def _talk(
    args: argparse.Namespace,
    project: Project,
    settings: Settings,
    environment: Mapping[str, str],
    log: FailureLog,
) -> int:
    is_terminal = sys.stdin.isatty()
    out = sys.stdout
    options = stage_options(args, as_in_tests=args.fresh)
    async with open_stage(project, settings, environment, options) as stage:
        # What actions print is none of the transcript.
        with contextlib.redirect_stdout(sys.stderr):
            results = Results()
            async with stage.webhook(results) as webhook, stage.tools(webhook) as tools:
                chat = Chat(args, stage, webhook, tools, results, log, _writer(out, is_json=args.json))
                lines = _read_terminal(out) if is_terminal else sys.stdin
                if is_terminal and not args.json:
                    chat.write(opening(project, args.understand[0]))
                return await chat.converse(lines, echo=not is_terminal)


class Chat:
    """One or, after /restart, several conversations."""

    def __init__(
        self,
        args: argparse.Namespace,
        stage: Stage,
        webhook: Webhook,
        tools: Tools | None,
        results: Results,
        log: FailureLog,
        write: Callable[[Iterable[Line]], None],
    ) -> None:
        self._args = args
        self._stage = stage
        self._webhook = webhook
        self._tools = tools
        self._results = results
        self._log = log
        self.write = write
        self._buttons: list[Button] = []
        self._has_failed = False
        self._begin()

    async def converse(self, lines: Iterable[str], *, echo: bool) -> int:
        """Say one line after the other. ``echo``: the transcript shows them. Returns the exit code."""
        await self._greet()
        waiting = iter(lines)
        while True:
            await self._show_results(may_be_interrupted=not echo)
            line = next(waiting, None)
            if line is None:
                break
            text = line.strip()
            if not text:
                continue
            if echo and not self._args.json:
                self.write([user_line(text)])
            if text in ("/quit", "/stop"):
                break
            if not await self._obey(text):
                await self._say(self._resolve_button(text))
        return int(self._has_failed)

    async def _obey(self, text: str) -> bool:
        """Do what a line asks of the chat itself; False if it is said to the assistant."""
        if text == "/help":
            self._print(commands_help())
        elif text == "/flows":
            self._print(what_it_can_do(self._stage.project))
        elif text == "/slots":
            domain = self._stage.project.domain
            slots = {n: v for n, v in self._player.state.slots.items() if v is not None and _is_own(n, domain)}
            self._print([f"{name} = {short_json(v)}" for name, v in slots.items()] or ["no slot has a value"])
        elif text == "/stack":
            frames = [f"{f.flow_id}  {f.step_id}" for f in reversed(self._player.state.stack)]
            self._print(frames or ["no flow runs"])
        elif text == "/restart":
            self._begin()
            self._print(["a new conversation"])
            await self._greet()
        else:
            unknown = unknown_command(text, self._stage.project)
            self._print([unknown] if unknown else [])
            return bool(unknown)
        return True

    def _begin(self) -> None:
        sender = self._args.sender or f"chat-{uuid.uuid4().hex[:12]}"
        stage, channel = self._stage, self._args.channel
        self._player = Player(stage.project, self._webhook, sender_id=sender, channel=channel, tools=self._tools)
        self._understanding = self._stage.understanding()
        self._buttons = []

    async def _greet(self) -> None:
        """Begin the session; an assistant may have something to say before the user has."""
        turn, error = await self._play(self._player.start())
        if turn is not None and (turn.messages or turn.failures or error):
            self._show(turn, error)

    async def _say(self, message: str) -> None:
        turn, error = await self._play(self._player.say(message, self._understanding))
        self._show(turn or self._player.last_turn, error)
        if turn is not None and asks_for_help(message, turn):
            self._print(what_it_can_do(self._stage.project))

    async def _play(self, playing: Coroutine[Any, Any, T]) -> tuple[T | None, str]:
        try:
            return await playing, ""
        except ActionServerError as exc:
            # The conversation goes on, as it would after an engine's error.
            self._has_failed = True
            return None, str(exc)

    async def _show_results(self, *, may_be_interrupted: bool) -> None:
        """Show what jobs come to, until none is left that is due soon, or until somebody types."""
        typed = asyncio.Event()
        loop, stdin = asyncio.get_running_loop(), sys.stdin
        if may_be_interrupted:
            loop.add_reader(stdin, typed.set)
        try:
            if may_be_interrupted and not self._args.json and await self._results.is_pending():
                self.write([Line("(a job is running; you may go on)", "dim")])
            while await self._results.wait(typed.is_set):
                for one in self._results.take(self._player.state.sender_id):
                    self._show(self._player.receive(one.texts, one.slots, {MARK: one.job_id}), "")
        except DatabaseError as exc:
            self._print([str(exc)])
        finally:
            if may_be_interrupted:
                loop.remove_reader(stdin)

    def _show(self, turn: Turn, error: str) -> None:
        failed = self._log.take()
        if turn.messages:
            self._buttons = buttons_of(turn.messages)
        if self._args.json:
            self.write([Line(to_json({**turn_as_json(turn, failed), "error": error or None}))])
            return
        explain = self._args.explain
        lines = explain_turn(turn, failed, with_patterns=explain == "all") if explain else failure_lines(turn, failed)
        self.write(lines)
        self.write(bot_lines(turn.messages))
        if error:
            self.write([Line(f"error: {error}", "bold red")])
        if turn.is_paused:
            self.write([Line("(the conversation is paused: the assistant does not answer)", "dim")])
        if turn.has_ended:
            self.write([Line("(the session has ended)", "dim")])

    def _resolve_button(self, text: str) -> str:
        """Return what a number clicks, or the text itself."""
        if not text.isdecimal() or not 0 < int(text) <= len(self._buttons):
            return text
        button = self._buttons[int(text) - 1]
        if not self._args.json:
            self.write([Line(f"     ({button.title}: {button.payload})", "dim")])
        return button.payload

    def _print(self, lines: list[str]) -> None:
        if not lines:
            return
        if self._args.json:
            self.write([Line(to_json({"command": lines}))])
        else:
            self.write(Line(f"  {line}", "dim") for line in lines)


def _is_own(name: str, domain: Any) -> bool:
    slot = domain.slots.get(name)
    return slot is not None and not slot.is_default


def _writer(out: TextIO, *, is_json: bool) -> Callable[[Iterable[Line]], None]:
    """Return what prints lines, each of them as one: with colour on a terminal, without through a pipe."""
    if is_json or not out.isatty():

        def print_plain(lines: Iterable[Line]) -> None:
            for line in lines:
                out.write(f"{escape_controls(line.text)}\n")
            out.flush()

        return print_plain
    console = make_console(out)

    def print_styled(lines: Iterable[Line]) -> None:
        for line in lines:
            print_line(console, line.text, line.style, indent=5)

    return print_styled


def _read_terminal(out: TextIO) -> Iterator[str]:
    """Yield what a person types, until Ctrl-D or Ctrl-C."""
    with contextlib.suppress(ImportError):
        # With it, `input` has a history and keys to edit the line.
        import readline  # noqa: F401
    while True:
        try:
            # Only of the real streams does Python know that a person sits there.
            with contextlib.redirect_stdout(out):
                line = ask("you: ")
        except (EOFError, KeyboardInterrupt):
            out.write("\n")
            return
        yield line
