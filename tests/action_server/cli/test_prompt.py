"""A person who is asked for a line is heard, whenever Ctrl-C comes."""

from __future__ import annotations

import builtins
import os
import signal
import threading

import pytest

from action_server.cli.prompt import ask
from tests.processes import PATIENCE


@pytest.fixture
def handler() -> object:
    return signal.getsignal(signal.SIGINT)


def test_a_line_is_returned_and_nothing_stays_behind(handler: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a thread nor another way to handle the signal."""
    monkeypatch.setattr(builtins, "input", lambda prompt: f"{prompt}hello")
    threads = threading.active_count()

    assert ask("you: ") == "you: hello"
    assert threading.active_count() == threads
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.set_wakeup_fd(-1) == -1


def test_ctrl_c_that_comes_before_input_waits_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that is noted, and interrupts no wait, as when it comes between the prompt and the wait for a key."""
    reading, writing = os.pipe()
    at_prompt, over = threading.Event(), threading.Event()
    pressed: list[str] = []

    def press() -> None:
        at_prompt.wait(PATIENCE)
        # To this thread: the main one, which waits in C, is not interrupted by it.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not over.wait(PATIENCE):
            pressed.append("a key")
            os.write(writing, b"x")

    def wait_for_a_key(prompt: str) -> str:
        at_prompt.set()
        return os.read(reading, 1).decode()

    monkeypatch.setattr(builtins, "input", wait_for_a_key)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ask("you: ")
    finally:
        over.set()
        thread.join()
        os.close(reading)
        os.close(writing)
    assert pressed == []


def test_ctrl_c_is_heard_where_the_program_was_started_with_it_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a script's background programs are."""

    def press(prompt: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return "unheard"

    monkeypatch.setattr(builtins, "input", press)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask("you: ")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
