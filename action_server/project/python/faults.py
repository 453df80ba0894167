"""Faults inside of an action's methods: calls that block the event loop, coroutines nobody awaits, an event alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from action_server.project.python.facts import Fault, place_of
from action_server.project.python.imports import Imports, dotted_name
from action_server.project.python.nodes import nodes_of

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Calls that wait for something outside of the process, for as long as that takes.
_BLOCKING_CALLS = frozenset(
    {
        "time.sleep",
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "os.system",
        "socket.create_connection",
        "sqlite3.connect",
        "psycopg2.connect",
        "psycopg.connect",
        "pymysql.connect",
        "pymssql.connect",
        "pyodbc.connect",
        "mysql.connector.connect",
        "smtplib.SMTP",
        "smtplib.SMTP_SSL",
        *(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "getoutput")),
        *(
            f"{library}.{verb}"
            for library in ("requests", "httpx")
            for verb in ("get", "post", "put", "patch", "delete", "head", "options", "request")
        ),
    }
)
_ALTERNATIVES = {
    "time.sleep": "write `await asyncio.sleep(...)`",
    "requests": "use aiohttp or httpx.AsyncClient with `await`",
    "httpx": "use httpx.AsyncClient with `await`",
}
_COROUTINES = frozenset({"asyncio.sleep", "asyncio.to_thread", "asyncio.gather", "asyncio.wait_for"})
# What the SDK's classes of forms await; `validate_...` and `extract_...` may be either.
_AWAITED = frozenset({"required_slots", "get_extraction_events", "get_validation_events", "next_requested_slot"})
_NO_COROUTINES = (ast.List, ast.ListComp, ast.Name, ast.BinOp, ast.BoolOp, ast.Subscript, ast.Constant, ast.Tuple)
_EVENTS = frozenset(
    [
        "SlotSet",
        "AllSlotsReset",
        "ReminderScheduled",
        "ReminderCancelled",
        "ConversationPaused",
        "ConversationResumed",
        "FollowupAction",
        "Restarted",
        "SessionStarted",
        "ActionExecuted",
        "ActionReverted",
        "UserUttered",
        "BotUttered",
        "ActiveLoop",
        "UserUtteranceReverted",
        "ActionExecutionRejected",
        "LoopInterrupted",
        "EventType",
    ]
)


def find_faults(
    method: Function, cls: ast.ClassDef | None, tree: ast.Module, file: str, imports: Imports
) -> Iterator[Fault]:
    """Find the faults of a method of an action, or of a function that is one: it has no class."""
    if method.name == "run":
        yield from _find_lone_events(method, file, imports)
    if method.name in _AWAITED and isinstance(method, ast.FunctionDef) and not method.decorator_list:
        yield from _find_plain_method(method, file, imports)
    if isinstance(method, ast.FunctionDef):
        yield from _find_signals(method, file, imports)
    else:
        body = cls.body if cls is not None else []
        own = {item.name for item in body if isinstance(item, ast.AsyncFunctionDef)}
        own -= {item.name for item in body if isinstance(item, ast.FunctionDef)}
        others = _async_functions(tree)
        for node in _own_nodes(method):
            if isinstance(node, ast.Call):
                yield from _find_blocking_call(node, method.name, file, imports)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield from _find_unawaited_call(node.value, own, others, file, imports)


def _find_signals(method: ast.FunctionDef, file: str, imports: Imports) -> Iterator[Fault]:
    for node in _own_nodes(method):
        if isinstance(node, ast.Call) and imports.full_name(node.func) == "signal.signal":
            yield Fault(
                "signal-in-thread",
                place_of(node, file),
                f"signal.signal() in `def {method.name}` fails on every thread but the main one",
                "leave the time limit to the setting `timeout`, or set `sync_thread: import`",
            )


def _find_plain_method(method: ast.FunctionDef, file: str, imports: Imports) -> Iterator[Fault]:
    returned = [node.value for node in _own_nodes(method) if isinstance(node, ast.Return)]
    # What a call returns may be a coroutine; these are lists and events.
    if not returned or any(
        isinstance(value, (*_NO_COROUTINES, type(None)))
        or (isinstance(value, ast.Call) and dotted_name(value.func) in ("list", "sorted"))
        or (isinstance(value, ast.Call) and imports.full_name(value.func).startswith("rasa_sdk.events."))
        for value in returned
    ):
        yield Fault(
            "plain-method",
            place_of(method, file),
            f"{method.name} is a plain `def`, and rasa-sdk awaits it",
            f"write `async def {method.name}`",
        )


def _find_lone_events(method: Function, file: str, imports: Imports) -> Iterator[Fault]:
    for node in _own_nodes(method):
        if not isinstance(node, ast.Return) or not isinstance(node.value, ast.Call):
            continue
        full = imports.full_name(node.value.func)
        name = full.rpartition(".")[2]
        if full.startswith("rasa_sdk.events.") and name in _EVENTS:
            yield Fault(
                "event-without-list",
                place_of(node, file),
                f"`run` returns one {name} and no list",
                f"write `return [{name}(...)]`",
            )


def _find_blocking_call(node: ast.Call, method: str, file: str, imports: Imports) -> Iterator[Fault]:
    full = imports.full_name(node.func)
    if full not in _BLOCKING_CALLS:
        return
    if full == "time.sleep" and node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0:
        return
    instead = _ALTERNATIVES.get(full) or _ALTERNATIVES.get(full.partition(".")[0])
    threads = (
        "put the call into `await asyncio.to_thread(...)`, or make the method a plain `def`: it then runs on a thread"
    )
    yield Fault(
        "blocking-call",
        place_of(node, file),
        f"{full}() waits inside of `async def {method}`, and so does every other call of the worker",
        f"{instead}; or {threads}" if instead else threads,
    )


def _find_unawaited_call(
    node: ast.Call, own: set[str], others: frozenset[str], file: str, imports: Imports
) -> Iterator[Fault]:
    name = dotted_name(node.func)
    is_own = name.startswith("self.") and name.removeprefix("self.") in own
    if is_own or name in others or imports.full_name(node.func) in _COROUTINES:
        if imports.full_name(node.func) == "asyncio.gather":
            # It schedules its arguments by itself.
            return
        yield Fault(
            "not-awaited",
            place_of(node, file),
            f"{name}() is a coroutine, and nobody awaits it",
            f"write `await {name}(...)`",
        )


@lru_cache(maxsize=1)
def _async_functions(tree: ast.Module) -> frozenset[str]:
    """Return the names of the file's coroutines that nothing else in it has, undecorated ones only.

    Kept for the file that is being read: each of its coroutines asks.
    """
    found = {n.name for n in tree.body if isinstance(n, ast.AsyncFunctionDef) and not n.decorator_list}
    for node in nodes_of(tree) if found else ():
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.discard(node.id)
        elif isinstance(node, ast.arg):
            found.discard(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.discard(node.name)
    return frozenset(found)


def _own_nodes(method: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function, but none of functions within it: those may run elsewhere."""
    waiting: list[ast.AST] = list(reversed(method.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        yield node
        waiting += reversed(list(ast.iter_child_nodes(node)))
