"""The classic twin of the clinic, drafted as flows, books an appointment with the clinic's own actions."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path

import pytest

from action_server.cli import chat
from action_server.flows.check.checking import Request
from action_server.flows.migration.plan import plan
from tests.assistant.reading import CALM, ROOT


def test_the_drafts_of_the_classic_twin_play_to_a_booking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question once, and a reference at the end; every draft has been played to its end before."""
    monkeypatch.chdir(ROOT)
    found = plan(Request(Path("assistant/classic"), "actions"))
    found.write(tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(CALM / "tests" / "action_server.yml", tmp_path / "tests")
    parser = argparse.ArgumentParser()
    chat.add_flags(parser)
    said = "I want to book an appointment\ngeneral\nnext Tuesday at 10\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))

    assert chat.run(parser.parse_args(["--fresh", "--project", str(tmp_path)]), {}) == 0

    heard = capsys.readouterr().out
    forms, rules = ("appointment_type", "reschedule", "cancel"), ("list_appointments", "send_summary", "get_result")
    assert {draft.flow: draft.fault for draft in found.drafts} == dict.fromkeys((*forms, *rules), "")
    assert heard.count("What type of appointment") == 1
    assert "Your general appointment has been booked" in heard
