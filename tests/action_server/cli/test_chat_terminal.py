"""`action-server chat` on a terminal of its own, with a real server, and with a language model."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.action_server.flows.cafe import Cafe, open_cafe
from tests.action_server.flows.language_model import model, use_model
from tests.processes import PATIENCE, environment, server

# What the command line does with the verb.
CHAT = """
import sys
from action_server.cli import main
sys.exit(main(["chat", *sys.argv[1:]]))
"""


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


class Terminal:
    """A chat on a pseudo terminal."""

    def __init__(self, cafe: Cafe, *flags: str) -> None:
        self._master, slave = pty.openpty()
        command = [sys.executable, "-c", CHAT, "--fresh", "--actions", cafe.actions, *flags]
        variables = environment(TERM="xterm", PYTHONPATH=os.pathsep.join(sys.path))
        self.process = subprocess.Popen(
            command, cwd=cafe.folder, env=variables, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL
        )
        os.close(slave)
        self.seen = ""
        self._position = 0

    def wait_for(self, text: str) -> None:
        """Read until the terminal shows a text behind what was waited for before."""
        while text not in self.seen[self._position :]:
            try:
                more = os.read(self._master, 4096)
            except OSError:
                more = b""
            assert more, f"{text!r} did not come: {self.seen}"
            self.seen += more.decode()
        self._position = self.seen.index(text, self._position) + len(text)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, once: it is heard also before Python's `input` listens."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        code = self.process.wait(PATIENCE)
        with contextlib.suppress(OSError):
            while os.read(self._master, 4096):
                pass
        os.close(self._master)
        return code


def test_ctrl_d_ends_the_conversation(cafe: Cafe) -> None:
    """A person is prompted, and sees colour."""
    terminal = Terminal(cafe)
    terminal.wait_for("- order a drink")
    terminal.wait_for('Say for example "order a drink"')
    terminal.wait_for("/help lists commands")
    terminal.wait_for("you: ")

    terminal.type("order a drink\n")
    terminal.wait_for("bot: What would you like?")
    terminal.wait_for("you: ")
    terminal.type("\x04")

    assert terminal.end() == 0
    assert "\x1b[" in terminal.seen


def test_ctrl_c_ends_the_conversation_at_once(cafe: Cafe) -> None:
    """Not only after the line is ended, as asyncio's own handler would have it."""
    terminal = Terminal(cafe)
    terminal.wait_for("you: ")

    terminal.interrupt()

    assert terminal.end() == 0


def test_the_actions_of_a_running_server_are_called(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Its services are its own: those of the test's settings are not opened."""
    variables = {"ACTION_SERVER__SERVICES__BOOK__FILE": str(cafe.folder / "elsewhere")}
    with server(cafe.folder, "--actions", cafe.actions, variables=variables) as running:
        code = cafe.chat("order a drink\ntea\n", "--url", f"{running.url}/webhook")

    assert code == 0
    assert "bot: tea number 1 for you" in capsys.readouterr().out
    assert (cafe.folder / "elsewhere").read_text() == "x"


def test_a_language_model_understands_and_its_cost_is_shown(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the model of the group that config.yml names; when it fails, that is said and the conversation goes on."""
    order = [{"command": "start_flow", "flow": "order_drink"}, {"command": "set_slot", "slot": "drink", "value": "tea"}]
    with model(503, order) as (url, asked):
        use_model(cafe, url)
        code = cafe.chat("I am thirsty\nsomething hot\n", "--understand", "llm", "--explain")

    said = capsys.readouterr().out
    assert code == 1
    assert f"error: {url} failed with 503" in said
    assert "because: the model's answer (model gpt-small, requests 1, " in said
    assert "100 tokens in, 10 tokens out, cost 0.200000)" in said
    assert "bot: tea number 1 for you" in said
    assert [request["model"] for request in asked] == ["gpt-small", "gpt-small"]
    assert "sk-secret" not in said
