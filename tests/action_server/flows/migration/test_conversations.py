"""Real conversations are counted, whatever a dump looks like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.flows.migration.conversations import read_traffic
from tests.action_server.flows.migration.sample_project import LOOP, TURN


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    """A dump that was cut off is still worth something."""
    (tmp_path / "dump.jsonl").write_text(f"{json.dumps(TURN)}\n{json.dumps(LOOP)[:20]}\n7\n", encoding="utf-8")
    traffic = read_traffic(tmp_path / "dump.jsonl")

    assert (traffic.events, traffic.unread) == (1, 2)


@pytest.mark.parametrize("content", [b"", b"[]", b"no json\n", b"\xff\xfe", b'{"a": 1}'])
def test_a_file_without_conversations_is_wrong_usage(tmp_path: Path, content: bytes) -> None:
    """The error names the file's flag."""
    (tmp_path / "dump").write_bytes(content)

    with pytest.raises(SettingsError, match="--conversations"):
        read_traffic(tmp_path / "dump")
