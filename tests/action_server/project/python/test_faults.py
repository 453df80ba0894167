"""Faults inside of actions are found where they stand, and nothing else is."""

from __future__ import annotations

import ast

import pytest

from action_server.project.python.faults import find_faults
from action_server.project.python.imports import Imports

HEAD = "import asyncio, requests, time\nfrom rasa_sdk.events import SlotSet\nasync def ask(): ...\n"


def faults_of(method: str) -> list[tuple[str, int]]:
    """Return rule and line (counted from the method's own) of each fault."""
    body = "\n".join(f"    {line}" for line in method.splitlines())
    tree = ast.parse(f"{HEAD}class A:\n    async def look_up(self): ...\n{body}\n")
    cls = tree.body[-1]
    assert isinstance(cls, ast.ClassDef)
    found = cls.body[-1]
    assert isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef))
    faults = find_faults(found, cls, tree, "a.py", Imports(tree))
    return [(fault.rule, fault.at.line - found.lineno) for fault in faults]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("async def run(self):\n    time.sleep(1)", [("blocking-call", 1)]),
        ("async def run(self):\n    requests.get('x')", [("blocking-call", 1)]),
        ("async def run(self):\n    self.look_up()", [("not-awaited", 1)]),
        ("async def run(self):\n    ask()", [("not-awaited", 1)]),
        ("async def run(self):\n    asyncio.sleep(1)", [("not-awaited", 1)]),
        ("def run(self):\n    return SlotSet('a', 1)", [("event-without-list", 1)]),
    ],
)
def test_a_fault_is_found(method: str, expected: list[tuple[str, int]]) -> None:
    """By its rule, in its line."""
    assert faults_of(method) == expected


@pytest.mark.parametrize(
    "method",
    [
        "def run(self):\n    time.sleep(1)",
        "async def run(self):\n    time.sleep(0)",
        "async def run(self):\n    def work():\n        time.sleep(1)\n    await asyncio.to_thread(work)",
        "async def run(self):\n    await ask()",
        "async def run(self):\n    asyncio.gather(ask())",
        "async def run(self):\n    task = ask()\n    await task",
        "def run(self):\n    return [SlotSet('a', 1)]",
        "def other(self):\n    return SlotSet('a', 1)",
    ],
)
def test_what_is_right_is_no_fault(method: str) -> None:
    """Waiting on a thread, within another function, and what is awaited or kept are fine."""
    assert faults_of(method) == []
