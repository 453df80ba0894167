"""What a bot's code does that means something else where synchronous actions run on threads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.files import File
from action_server.findings.finding import Finding

# Modules of rasa-sdk that are its server.
_SERVER = frozenset({"rasa_sdk.endpoint", "rasa_sdk.executor", "rasa_sdk.__main__", "rasa_sdk.grpc_server"})
# Names in them that tests and types use without making a server.
_HARMLESS = frozenset({"CollectingDispatcher"})
_LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop"})
# A call's limit unless it is set, in seconds.
_LIMIT = 30
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_code(file: File) -> Iterator[Finding]:
    """Check a Python file; one that cannot be parsed is left to the import, which names the line."""
    if not file.basename.endswith(".py") or "rasa_sdk" not in file.text:
        return
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _check_import(file, node)
        elif isinstance(node, ast.ClassDef):
            yield from _check_class(file, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _check_function(file, node)


def _check_import(file: File, node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        names = {alias.name for alias in node.names}
        modules = [f"rasa_sdk.{name}" for name in names] if node.module == "rasa_sdk" else [node.module or ""]
        if names <= _HARMLESS:
            return
    for module in modules:
        if module in _SERVER:
            yield Finding.of(rules.SERVER_OF_ITS_OWN, file.at(node.lineno), module=module)


def _check_class(file: File, node: ast.ClassDef) -> Iterator[Finding]:
    """Check the methods of an action: one object of it serves all calls."""
    if not any(ast.unparse(base).endswith("Action") for base in node.bases):
        return
    for function in node.body:
        if not isinstance(function, ast.FunctionDef) or function.name == "__init__" or not function.args.args:
            continue
        shared = {function.args.args[0].arg, node.name}
        for inner in _own_nodes(function):
            if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                written = ast.unparse(inner)
                if written.partition(".")[0] in shared:
                    facts = {"function": function.name, "names": f"`{written}`"}
                    yield Finding.of(rules.SHARED_STATE, file.at(inner.lineno), **facts)


def _check_function(file: File, function: _Function) -> Iterator[Finding]:
    is_sync = isinstance(function, ast.FunctionDef)
    for node in _own_nodes(function):
        if isinstance(node, ast.Global) and is_sync:
            names = f"the global `{', '.join(node.names)}`"
            yield Finding.of(rules.SHARED_STATE, file.at(node.lineno), function=function.name, names=names)
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        if is_sync and call in _LOOPS:
            yield Finding.of(rules.LOOP_OF_THE_THREAD, file.at(node.lineno), function=function.name, call=f"{call}()")
        waited = _constant(node)
        if call in {"time.sleep", "sleep", "asyncio.sleep"} and waited >= _LIMIT:
            yield Finding.of(rules.LONG_WAIT, file.at(node.lineno), call=f"{call}({waited:g})", seconds=f"{waited:g}")


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """Yield what stands in a function and not in one inside of it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _constant(call: ast.Call) -> float:
    value = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else 0
    return float(value) if isinstance(value, int | float) else 0.0
