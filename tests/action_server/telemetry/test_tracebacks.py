"""A failure's traceback begins with the author's own line, and does not show the server's own frames."""

from __future__ import annotations

import json
from pathlib import Path

from tests.processes import run
from tests.projects import project

FAILING = """
    import json
    from rasa_sdk import Action

    class ActionRead(Action):
        def name(self):
            return "action_read"

        def run(self, dispatcher, tracker, domain):
            return self.read("{bad")

        def read(self, text):
            try:
                return json.loads(text)
            except ValueError as exc:
                raise RuntimeError("not read") from exc
"""


def test_the_authors_line_comes_first_and_our_frames_are_folded(tmp_path: Path) -> None:
    """File, line and error; then the frames of the author and of libraries, a chained error's too."""
    project(tmp_path, {"actions.py": FAILING})

    lines = run(tmp_path, ["call", "action_read"]).stderr.splitlines()

    start = next(number for number, line in enumerate(lines) if "action.failed" in line)
    assert lines[start + 1] == "actions.py:16: RuntimeError: not read"
    assert "Traceback (most recent call last):" in lines
    assert any(line.startswith("  (") and line.endswith(" frames of the server)") for line in lines)
    assert not any("action_server/" in line for line in lines if line.startswith("  File"))
    assert any("json/decoder.py" in line for line in lines)
    assert any("actions.py" in line and "in run" in line for line in lines)


def test_machines_get_the_whole_traceback(tmp_path: Path) -> None:
    """Of JSON lines nothing is folded."""
    project(tmp_path, {"actions.py": FAILING})

    ended = run(tmp_path, ["call", "action_read"], ACTION_SERVER__LOG_FORMAT="json")

    (line,) = [json.loads(text) for text in ended.stderr.splitlines() if '"action.failed"' in text]
    assert "action_server/runtime/executor.py" in line["exception"]
    assert "frames of the server" not in line["exception"]
