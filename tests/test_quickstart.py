"""The ten commands of the quickstart, on a wheel in an empty environment, far from this folder."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.processes import environment

ROOT = Path(__file__).parents[1]
# Installing takes a while on a busy machine, in seconds.
_PATIENCE = 900


def commands() -> list[str]:
    """The lines of the first block of shell on the page."""
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return block[1].strip().splitlines()


def build_wheel(folder: Path) -> Path:
    """Build this repository's wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=_PATIENCE)
    [wheel] = folder.glob("action_server-*.whl")
    return wheel


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Terminal:
    """What somebody has open who types the commands: a folder, an environment, and a server behind."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        own = environment(
            ACTION_SERVER__PORT=str(port), ACTION_SERVER__DRAIN_DELAY="0", PYTEST_ADDOPTS="", PIP_NO_COMPILE="1"
        )
        self._environment = {**own, "PATH": f"{folder}/.venv/bin:{own['PATH']}"}
        self._servers: list[subprocess.Popen[str]] = []

    def type(self, line: str) -> str:
        """Run a line; return what it printed."""
        if line.endswith("&"):
            return self._start(line.removesuffix("&"))
        ended = subprocess.run(
            ["/bin/bash", "-ec", line],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
        if "&& cd " in line:
            self._folder /= line.rpartition("&& cd ")[2]
        return ended.stdout

    def _start(self, line: str) -> str:
        words = shlex.split(line)
        server = subprocess.Popen(words, cwd=self._folder, env=self._environment, stderr=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stderr is not None
        log = []
        for text in server.stderr:
            log.append(text)
            if "server.ready" in text:
                return "".join(log)
        raise AssertionError("".join(log))

    def close(self) -> None:
        """Stop what runs behind."""
        for server in self._servers:
            server.terminate()
            server.communicate(timeout=_PATIENCE)


def test_the_ten_commands_work_on_a_wheel_in_an_empty_environment(tmp_path: Path) -> None:
    """A first passing test, a recorded call, its replay, and the call as a test of its own."""
    wheel, port = build_wheel(tmp_path / "wheel"), free_port()
    lines = commands()
    assert len(lines) == 10
    home = tmp_path / "home"
    home.mkdir()
    terminal = Terminal(home, port)
    shown = []
    try:
        for line in lines:
            typed = line.replace('".[flows]"', f"-q -c {ROOT}/constraints.txt '{wheel}[flows]'")
            typed = typed.replace("python3", sys.executable).replace(":5055", f":{port}")
            shown.append(terminal.type(typed))
    finally:
        terminal.close()

    assert "1 passed" in shown[3]
    assert "That makes 3." in shown[4]
    assert "That makes 5." in shown[6]
    assert "1 calls, 0 changed" in shown[7]
    assert "2 passed" in shown[9]
