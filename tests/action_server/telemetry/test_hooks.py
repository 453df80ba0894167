"""What nobody catches is a line of the log, of a real process with real threads."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

from tests.processes import PATIENCE, ROOT

BEFORE = """
    import logging, sys, threading
    from action_server.telemetry import hooks, logs

    logs.configure(logs.LogSettings(format="json"))
    hooks.install()
"""


def run_python(text: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a program whose log is JSON; its exit code and all it wrote to standard error, as lines of JSON."""
    program = dedent(BEFORE) + dedent(text)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return ended.returncode, [json.loads(line) for line in ended.stderr.splitlines()]


def test_a_thread_that_dies_is_a_line_with_its_name() -> None:
    """The process goes on."""
    code, lines = run_python("""
        def fail():
            raise RuntimeError("boom")

        thread = threading.Thread(target=fail, name="mine")
        thread.start()
        thread.join()
    """)

    assert (code, [(line["event"], line["in_thread"]) for line in lines]) == (0, [("thread.failed", "mine")])
    assert "RuntimeError: boom" in lines[0]["exception"]


def test_an_error_that_ends_the_process_is_a_line() -> None:
    """The exit code is Python's."""
    code, lines = run_python("raise RuntimeError('boom')")

    assert (code, [line["event"] for line in lines]) == (1, ["process.failed"])


def test_an_error_that_cannot_be_raised_is_a_line_without_the_object() -> None:
    """Of the object only the type is shown: its text may be anything."""
    code, lines = run_python("""
        class Secret:
            def __repr__(self):
                return "hunter2"

            def __del__(self):
                raise RuntimeError("boom")

        Secret()
    """)

    assert (code, [(line["event"], line["kind"]) for line in lines]) == (0, [("error.not_raised", "function")])
    assert "hunter2" not in json.dumps(lines)
