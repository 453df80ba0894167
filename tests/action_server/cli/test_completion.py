"""Shells complete the verbs and their flags."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from action_server.cli.command_line import VERBS, main

# What bash is asked: it fills COMPREPLY as for somebody who pressed the tab key behind these words.
_ASK = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={at}
_action_server
echo "${{COMPREPLY[@]}}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["action-server", "re"], {"replay"}),
        (["action-server", "run", "--rec"], {"--record", "--record-files", "--record-mask"}),
        (["action-server", "flows", "te"], {"test"}),
        (["action-server", "flows", "test", "--js"], {"--json", "--jsonl"}),
        (["action-server", "contract", "--on"], {"--once", "--only"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: set[str]
) -> None:
    """A verb, a verb of a group, a flag of a verb."""
    file = tmp_path / "completion.bash"
    file.write_text(script("bash", capsys), encoding="utf-8")
    asked = _ASK.format(script=file, words=" ".join(words), at=len(words) - 1)

    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True, timeout=60)

    assert set(ended.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_knows_every_verb(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    """The list is the command line's own."""
    text = script(shell, capsys)

    assert [verb.words for verb in VERBS if not all(word in text for word in verb.words)] == []
