"""`action-server chat` runs jobs, and shows what they come to when it comes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from action_server.flows.player.results import PATIENCE
from tests.action_server.cli.test_chat_terminal import Terminal
from tests.action_server.flows.cafe import ACTIONS, DOMAIN, Cafe, open_cafe

# The drink is ready later.
LATER = f"""
from action_server import current_job, job, later

@job
async def brew(drink: str, gate: str) -> None:
    import asyncio
    while gate and not Path(gate).exists():
        await asyncio.sleep(0.01)
    current_job().delivers(f"Your {{drink}} is ready.", {{"guest": "Ann", "unknown": 1}})
{ACTIONS}
class ActionServeLater(Action):
    def name(self):
        return "action_serve_later"

    async def run(self, dispatcher, tracker, domain):
        gate = Path("gate").resolve() if Path("slow").exists() else ""
        await later(brew, drink=tracker.get_slot("drink"), gate=str(gate))
        dispatcher.utter_message(text="It is being made.")
        return []
"""
FLOWS = """
flows:
  order_drink:
    name: order a drink
    description: Order a drink.
    steps:
      - collect: drink
        description: which drink
      - action: action_serve_later
"""


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    opened = open_cafe(tmp_path, monkeypatch)
    opened.write(f"{opened.actions}.py", LATER)
    opened.write("data/flows.yml", FLOWS)
    opened.write("domain.yml", DOMAIN.replace("actions: [", "actions: [action_serve_later, "))
    return opened


def test_through_a_pipe_the_later_message_comes_before_the_next_line(
    cafe: Cafe, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its slots are set; one that the domain does not have is left out."""
    assert cafe.chat("order a drink\ntea\n/slots\n") == 0

    lines = capsys.readouterr().out.splitlines()
    asked = lines.index("bot: It is being made.")
    assert lines.index("bot: Your tea is ready.") < lines.index("you: /slots")
    assert asked < lines.index("bot: Your tea is ready.")
    assert '  guest = "Ann"' in lines
    assert not any("unknown" in line for line in lines)


# The package keeps its jobs itself, and one runs by itself: nobody waits for that.
KEPT = """
from contextlib import asynccontextmanager
from action_server import Database, keep_jobs

@job(every=0.05)
async def sweep() -> None:
    pass

@asynccontextmanager
async def lifespan(registry, config):
    database = await Database.open("own.sqlite3", lambda connection: None)
    await keep_jobs(registry, database, [brew, sweep])
    yield
    await database.close()
"""


def test_jobs_that_the_package_keeps_are_run_as_well(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """In its own database; a periodic one keeps nobody waiting."""
    cafe.write(f"{cafe.actions}.py", LATER + KEPT)
    begun = time.monotonic()
    assert cafe.chat("order a drink\ntea\n/slots\n") == 0

    assert "bot: Your tea is ready." in capsys.readouterr().out.splitlines()
    assert time.monotonic() - begun < PATIENCE
    assert (cafe.folder / "own.sqlite3").exists()


def test_as_json_it_is_a_turn_without_a_message(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of the conversation."""
    cafe.chat("order a drink\ntea\n", "--json")

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["text"] for one in last["bot"]] == ["Your tea is ready."]
    assert last["user"] == ""


def test_on_a_terminal_it_comes_while_the_person_thinks(cafe: Cafe) -> None:
    """Nobody presses a key; and who does goes on at once."""
    cafe.write("slow", "")
    terminal = Terminal(cafe)
    terminal.wait_for("you: ")
    terminal.type("order a drink\n")
    terminal.wait_for("you: ")
    terminal.type("tea\n")
    terminal.wait_for("(a job is running; you may go on)")
    terminal.type("/stack\n")
    terminal.wait_for("pattern_completed")
    terminal.wait_for("(a job is running; you may go on)")
    (cafe.folder / "gate").touch()
    terminal.wait_for("Your tea is ready.")
    terminal.wait_for("you: ")
    terminal.type("\x04")

    assert terminal.end() == 0
