"""The page of the matrix, and what of it is worse than what is known of a client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from action_server.tools.callers import (
    BEEAI,
    CALLER_RULES,
    LANGCHAIN_GOOGLE,
    MASTRA,
    MCP_USE,
    SMOLAGENTS,
    Caller,
)
from action_server.tools.traits import Trait
from benchmarks.clients.environments import CLIENTS, LITELLM_FALLBACK, Client
from benchmarks.clients.readings import TOLD, Row

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tools-and-models.md"
# What each tool that this server writes has.
_WRITTEN = (Trait.OR_NULL, Trait.VALUES_OR_NULL, Trait.DESCRIPTION_BESIDE_OPTIONS, Trait.DESCRIPTION)
# Its Router sends the second provider what it made for the first, where null is a mark that only that one knows.
_BESIDES = {
    LITELLM_FALLBACK: frozenset({"null"}),
    # Of an argument that may be anything a text is left.
    LANGCHAIN_GOOGLE: frozenset({"type"}),
}
# They hold arguments against the schema themselves, and tell the model which of them `""`, or null, does not fit.
_CHECKING = {
    **dict.fromkeys((MASTRA, MCP_USE, BEEAI), ("empty",)),
    SMOLAGENTS: ("null",),
}
_CELLS = ("value", "null", "empty", "wrong", "shown")

_HEAD = """# Tools and models

What becomes of this server's tools in {n} clients. `make clients` writes this page: each client, in an environment of
its own, connects to a server with the clinic's tools and one that takes every type of slot; a stand-in for the provider
of its model keeps what it is sent and asks for one tool after another. What providers themselves make of it was not
run. Last run on {day}.

The Python SDK 1.30.0, the TypeScript SDK 1.32.2 and what litellm 1.101.0 sends to seven providers are part of
`make test` as well.

"""
_TAIL = """
| column | what it says |
|---|---|
| tools | tools that the model was offered, of those that the server offers |
| lost | what did not reach the model: type, values, null or description of arguments, or the tool's description |
| value | whether a text, a category, a boolean, a number, a list and anything arrived as they were sent |
| null, `""` | whether nothing arrived for `null`, or `""` (which a text keeps); told: the client itself refuses it |
| wrong | whether the model was told which arguments have a value that they cannot have |
| shown | whether the model saw the reference of its booking, and the same one when it asked again |
| bookings | appointments that were made of two calls |

Type and values stand in the description once more, for a client that drops them from the schema. What no
server can mend:

{unmended}

Played by hand with the same tools, and not among the clients above:

| client | version | what becomes of calls |
|---|---|---|
| llamaindex.js | 0.2.1 | an answer that holds null, as each does, is told as a failure; booked once all the same |
| genkit openai | 1.42.0 | no tool's description arrives; `""` and a tool that is gone end its run |
| MCP inspector `--cli` | 2.12.0 | for a number that it cannot read it sends null, for `yes` it sends false |
| crewai with crewai-tools | 1.15.30 | whole, `""` told; an environment of a gigabyte |
| crewai, its own client | 1.15.30 | on Python 3.11 each call that was carried out is told as a failure, on 3.12 not |
"""


def known_losses(caller: Caller) -> frozenset[str]:
    """Return what a caller is known to lose of what this server writes."""
    rules = [r for r in CALLER_RULES if caller in r.callers and r.trait in _WRITTEN]
    told = frozenset(what for rule in rules for what in rule.loses.split(", "))
    return told | _BESIDES.get(caller, frozenset())


def worse_than_known(client: Client, row: Row) -> Iterator[str]:
    """Say in a line each which cells of a client are worse than what is known of it."""
    if row.problem:
        yield f"{client.key}: {row.problem}"
    if row.tools < row.offered:
        yield f"{client.key}: {row.tools} of {row.offered} tools"
    for what in sorted({*row.lost} - known_losses(client.caller)):
        yield f"{client.key}: loses {what}"
    for cell in _CELLS:
        is_told = getattr(row, cell) == TOLD and cell in _CHECKING.get(client.caller, ())
        if getattr(row, cell) != "ok" and not is_told:
            yield f"{client.key}: {cell}: {getattr(row, cell)}"
    if row.bookings != 1:
        yield f"{client.key}: {row.bookings} bookings"


def page_of(rows: Mapping[Client, Row]) -> str:
    """Write the page."""
    lines = ['| client | version | tools | lost | value | null | `""` | wrong | shown | bookings |']
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for client, row in rows.items():
        cells = [getattr(row, cell) for cell in _CELLS]
        tools = f"{row.tools}/{row.offered}"
        parts = (client.caller.name, client.caller.version, tools, ", ".join(row.lost), *cells, row.bookings)
        lines.append(f"| {' | '.join(map(str, parts))} |")
    head = _HEAD.format(n=len(rows), day=date.today().isoformat())
    return head + "\n".join(lines) + "\n" + _TAIL.format(unmended=_unmended())


def _unmended() -> str:
    found = [(client.caller, sorted(known_losses(client.caller))) for client in CLIENTS]
    return "\n".join(f"- {c.name} {c.version} loses {', '.join(lost)}." for c, lost in found if lost)
