"""Shows what each caller makes of each tool, for `tools --check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from action_server.cli.console import make_console, make_table, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from action_server.tools.tool import Tool
    from action_server.tools.verdicts import Verdict


def show_check(tools: Sequence[Tool], *, as_json: bool) -> int:
    """Print what each caller makes of each tool. Returns 1 if one of them would not take a tool."""
    from action_server.tools import verdicts

    found = {tool.name: verdicts.verdicts_on(tool) for tool in tools}
    every = [verdict for of_tool in found.values() for verdict in of_tool]
    if as_json:
        print_json(verdicts.as_json(every))
    else:
        console = make_console()
        for name, of_tool in found.items():
            _show_tool(console, name, of_tool)
        _show_reasons(console, every)
    return 1 if any(verdict.refused for verdict in every) else 0


def _show_tool(console: Console, name: str, found: Sequence[Verdict]) -> None:
    """Print the callers that lose something, and how many lose nothing."""
    from action_server.tools.verdicts import words_of_loss, words_of_refusal

    console.print(name, style="bold", highlight=False)
    table = make_table("caller", "version", "kept", "lost", "refused")
    for verdict in found:
        if not verdict.is_whole:
            kept = f"{len(verdict.kept)}/{len(verdict.arguments)}"
            caller = verdict.caller
            table.add_row(caller.name, caller.version, kept, words_of_loss(verdict), words_of_refusal(verdict))
    whole = [verdict for verdict in found if verdict.is_whole]
    if whole:
        what = "all" if len(whole) == len(found) else "all others"
        many = f"{len(whole[0].arguments)}/{len(whole[0].arguments)}"
        table.add_row(f"{what} ({len(whole)})", "", many, "", "")
    console.print(table)
    console.print()


def _show_reasons(console: Console, found: Sequence[Verdict]) -> None:
    from action_server.findings.output import print_line
    from action_server.tools.verdicts import reasons_for

    for what, why in reasons_for(found):
        print_line(console, f"{what}:")
        print_line(console, f"    {why}")
    refused = sorted({verdict.tool for verdict in found if verdict.refused})
    for name in refused:
        print_line(console, f"lost to a caller: {name}")
    if not refused:
        print_line(console, "no caller loses a tool")
