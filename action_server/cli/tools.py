"""The verb `tools`: shows the actions that are offered as tools, as models see them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json
from action_server.cli.flags import add_action_flags, add_json_flag, add_log_flag
from action_server.cli.tools_check import show_check
from action_server.config import settings
from action_server.errors import SettingsError
from action_server.nearest import did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.runtime.registry import Registry
    from action_server.tools.offer import Offer
    from action_server.tools.tool import Tool

# What Mantle takes for a server's name (rasa-pro 3.21.0, read).
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Those of `action_server.tools.model_views`, which needs not be imported to say them.
_MODELS = ("gemini", "openai", "anthropic", "rasa", "mantle")

DESCRIPTION = """\
Show the actions that are offered as tools: arguments, and how many characters a model reads of each.

  action-server tools
  action-server tools action_book --domain domain.yml
  action-server tools action_book --as gemini
  action-server tools --check
  action-server tools --for mantle --server clinic --url http://clinic-actions:5055/mcp

With --check exit code 1 says that a known caller would not take one of them."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one tool, with its schemas")
    add_action_flags(parser)
    add_log_flag(parser)
    settings.add_flag(parser, "domain")
    parser.add_argument("--check", action="store_true", help="show what each known caller makes of each tool")
    parser.add_argument("--as", dest="model", choices=_MODELS, help="print the tool as the model gets it")
    parser.add_argument("--for", dest="target", choices=["mantle"], help="print what a project of that engine needs")
    parser.add_argument("--server", metavar="NAME", help="with --for: the server's name there (default: actions)")
    parser.add_argument("--url", metavar="URL", help="with --for: where it is (default: http://localhost:5055/mcp)")
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Import the actions and print those that are tools. With ``--check`` returns 1 if a caller would lose one.

    Raises:
        StartupError: the settings are wrong, a module does not import, or an action that is offered can be no tool.
    """
    from action_server.runtime import loader
    from action_server.telemetry import logs
    from action_server.tools.model_views import view_of
    from action_server.tools.offer import read_offer

    _refuse_useless(args)
    read = settings.read(vars(args), environment)
    logs.configure(read.logs)
    registry = loader.load(read.actions, strict=read.strict).registry
    offer = read_offer(registry, read.mcp, read.options, read.domain)
    if not offer.tools:
        problem = "no action is offered as a tool: name them in `action_server: mcp: actions:` of the endpoints file"
        raise SettingsError("mcp", problem)
    if args.check:
        return show_check([_find(offer, args.name)] if args.name else list(offer.tools.values()), as_json=args.json)
    if args.model is not None:
        print_json(view_of(_find(offer, args.name), args.model))
    elif args.target is not None:
        _show_for_mantle(args, registry, offer, needs_token=bool(read.auth.model_fields_set))
    elif args.name is not None:
        _show_one(args, _find(offer, args.name))
    else:
        _show_all(args, offer)
    return 0


def _refuse_useless(args: argparse.Namespace) -> None:
    if args.target is None and (args.server or args.url):
        raise SettingsError("--server" if args.server else "--url", "does nothing without --for")
    if args.server and not _SERVER.fullmatch(args.server):
        raise SettingsError(
            "--server", "has letters, digits, `_`, `.` and `-` only, and begins with one of the first two"
        )
    if args.target is not None and (args.name or args.json):
        raise SettingsError("--json" if args.json else "NAME", "does nothing with --for")
    if args.model is not None and args.name is None:
        raise SettingsError("--as", "shows one tool: name it")
    chosen = [flag for flag, value in (("--check", args.check), ("--as", args.model), ("--for", args.target)) if value]
    if len(chosen) > 1:
        raise SettingsError(chosen[0], f"does nothing with {chosen[1]}")


def _find(offer: Offer, name: str) -> Tool:
    by_name = {**{tool.action: tool for tool in offer.tools.values()}, **offer.tools}
    if name not in by_name:
        raise SettingsError("NAME", f"there is no tool {name!r}{did_you_mean(name, by_name)}")
    return by_name[name]


def _show_all(args: argparse.Namespace, offer: Offer) -> None:
    from action_server.tools.report import cost_of, facts_of, total_cost

    if args.json:
        print_json([facts_of(tool) for tool in offer.tools.values()])
        return
    table = make_table("tool", "arguments", "sets", "characters")
    for tool in offer.tools.values():
        arguments = ", ".join(a.name for a in tool.all_arguments)
        table.add_row(tool.name, arguments, ", ".join(tool.sets.values()), f"{cost_of(tool):,}")
    console = make_console()
    console.print(table)
    many = "1 tool" if len(offer.tools) == 1 else f"{len(offer.tools)} tools"
    console.print(f"{many}; a model reads {total_cost(offer):,} characters of them with each request.")


def _show_one(args: argparse.Namespace, tool: Tool) -> None:
    from action_server.tools.report import facts_of

    if args.json:
        print_json(facts_of(tool))
    else:
        _print_tool(make_console(), tool)


def _print_tool(console: Console, tool: Tool) -> None:
    from action_server.tools.report import arguments_of, cost_of, facts_of

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    say(f"{tool.name} ({cost_of(tool):,} characters), {tool.place}")
    say(tool.description)
    table = make_table("argument", "type", "description")
    for row in arguments_of(tool):
        table.add_row(*row)
    console.print(table)
    facts = facts_of(tool)
    say(f"answers: {', '.join(tool.output_schema['required'])}")
    if tool.patience is not None:
        say(f"takes at most {tool.patience:g} s")
    for need in facts["needs"]:
        say(f"needs {need}")
    for name, slot in facts["renamed"].items():
        say(f"{name} is the slot {slot!r}")
    if tool.input_schema.get("required"):
        say("* has to be there")
    print_json({"inputSchema": tool.input_schema, "outputSchema": tool.output_schema})


def _show_for_mantle(args: argparse.Namespace, registry: Registry, offer: Offer, *, needs_token: bool) -> None:
    from action_server.tools import mantle

    server, url = args.server or "actions", args.url or "http://localhost:5055/mcp"
    console = make_console()
    text = mantle.integrations(offer, server, url, needs_token=needs_token)
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    table = make_table("action", f"has no counterpart in Mantle ({mantle.VERSION}, read)")
    for row in mantle.without_counterpart(registry, offer):
        table.add_row(*row)
    console.print()
    console.print(table)
