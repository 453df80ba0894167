"""The clinic's summary comes after the turn that asked for it: in the chat, by the flows, with the real actions."""

from __future__ import annotations

import argparse
import io
import sys

import pytest

from action_server.cli import chat
from tests.assistant.reading import CALM, ROOT


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, *flags: str) -> str:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    parser = argparse.ArgumentParser()
    chat.add_flags(parser)
    assert chat.run(parser.parse_args(["--fresh", "--project", str(CALM), *flags]), {}) == 0
    return capsys.readouterr().out


def test_a_summary_comes_later(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The action answers at once; the appointment, and the slot, come with the job, which is slow on purpose."""
    talk = "book an appointment\ngeneral\nnext Tuesday at 10\nsend me a summary\n/slots\n"
    heard = said(monkeypatch, capsys, talk, "--set", "services.clinic.summary_seconds=0.2")

    at_once = heard.index("bot: I am putting a summary of your appointments together.")
    later = heard.index("bot: The summary of your appointments:")
    assert at_once < later < heard.index("you: /slots")
    assert "general: Tuesday" in heard[later:]
    assert 'appointments_found = "some"' in heard


def test_somebody_without_appointments_hears_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is ready can be asked for: in the chat it was said already."""
    heard = said(monkeypatch, capsys, "send me a summary\nis it ready\n")

    assert "bot: You have no appointments." in heard
    assert "bot: Nothing is ready yet." in heard
