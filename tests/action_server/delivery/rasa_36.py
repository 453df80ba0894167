"""A real Rasa Open Source 3.6.21 with a bot of a few rules, for whoever has one: docs/howto/answer-later.md says how.

``RASA_36`` is the Python of an environment that has it. Without the variable its tests are skipped.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PYTHON = os.environ.get("RASA_36", "")
# Training and starting import TensorFlow: a minute on a busy machine.
PATIENCE = 480
TOKEN = "the-token-of-the-engine"

FILES = {
    "config.yml": """
recipe: default.v1
language: en
assistant_id: later
pipeline:
  - name: WhitespaceTokenizer
  - name: KeywordIntentClassifier
policies:
  - name: RulePolicy
""",
    "domain.yml": """
version: "3.1"
intents: [hello, wait, slow, fetch, EXTERNAL_ready]
entities: [summary]
slots:
  summary: {type: text, influence_conversation: false, mappings: [{type: from_entity, entity: summary}]}
  count: {type: any, mappings: [{type: custom}]}
responses:
  utter_hello: [{text: Hello.}]
  utter_ready: [{text: "Ready: {summary}"}]
actions: [action_wait, action_slow, action_job_result]
session_config: {session_expiration_time: 60, carry_over_slots_to_new_session: true}
""",
    "data/nlu.yml": """
version: "3.1"
nlu:
  - {intent: hello, examples: "- hello\\n"}
  - {intent: wait, examples: "- wait\\n"}
  - {intent: slow, examples: "- slow\\n"}
  - {intent: fetch, examples: "- fetch\\n"}
""",
    "data/rules.yml": """
version: "3.1"
rules:
  - {rule: hello, steps: [{intent: hello}, {action: utter_hello}]}
  - {rule: wait, steps: [{intent: wait}, {action: action_wait}]}
  - {rule: slow, steps: [{intent: slow}, {action: action_slow}]}
  - {rule: fetch, steps: [{intent: fetch}, {action: action_job_result}]}
  - {rule: ready, steps: [{intent: EXTERNAL_ready}, {action: utter_ready}]}
""",
}


def is_here() -> bool:
    """Whether there is one to run."""
    return bool(PYTHON)


def train(folder: Path) -> None:
    """Write the bot, and train it: rules and words, no neural network."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.lstrip())
    _rasa(folder, "train", "--quiet").check_returncode()


@contextmanager
def running(folder: Path, callback: str, actions: str, auth: Sequence[str] = ()) -> Iterator[str]:
    """Run the bot on a free port of this machine, and yield its address. ``auth`` are flags for other credentials."""
    (folder / "credentials.yml").write_text(f'rest:\ncallback:\n  url: "{callback}"\n')
    (folder / "endpoints.yml").write_text(f'action_endpoint:\n  url: "{actions}"\n')
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    flags = ("--enable-api", "--auth-token", TOKEN, "-i", "127.0.0.1", "-p", str(port))
    process = subprocess.Popen(
        [PYTHON, "-m", "rasa", "run", *flags, *auth],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        if not any(_notes(line, said) for line in process.stdout):
            pytest.fail(f"Rasa does not run: {''.join(said)[-2000:]}")
        # Whoever does not read lets it wait.
        reader = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
        reader.start()
        while not _listens(port):
            # It says so before it listens; what listens sets no event.
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        reader.join(PATIENCE)
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def _notes(line: str, said: list[str]) -> bool:
    said.append(line)
    return "Rasa server is up and running" in line


def _rasa(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PYTHON, "-m", "rasa", *arguments],
        cwd=folder,
        env=_environment(),
        timeout=PATIENCE,
        check=False,
        capture_output=True,
    )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "RASA_TELEMETRY_ENABLED": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    }
