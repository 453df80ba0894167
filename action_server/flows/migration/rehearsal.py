"""Plays drafts to their end, with answers made up and actions that do nothing: what asks for ever is no draft yet."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from action_server.errors import CommandLineError
from action_server.flows.commands.command import SetSlot, StartFlow
from action_server.flows.player.player import Player
from action_server.flows.player.webhook import ActionReply
from action_server.project.domain import Slot
from action_server.project.project import Project
from action_server.project.project_reader import read_project

# A slot may be asked for once more where a branch leads back, and no oftener.
_MOST_QUESTIONS = 2
_MOST_PLAYS = 8


def rehearse(flows: str, domain: str) -> dict[str, str]:
    """Play each flow of a draft once for each value of its categories.

    Returns why a flow does not come to its end, by the flow's id.
    """
    with tempfile.TemporaryDirectory(prefix="action-server-") as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / "domain.yml").write_text(domain, encoding="utf-8")
        (Path(folder) / "data" / "flows.yml").write_text(flows, encoding="utf-8")
        project = read_project(Path(folder))
    return asyncio.run(_play_all(project))


async def _play_all(project: Project) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, flow in project.flows.items():
        slots = [project.domain.slots[step.collect] for step in flow.collects if step.collect in project.domain.slots]
        plays = max([1, *(_choices(slot) for slot in slots)])
        for number in range(min(plays, _MOST_PLAYS)):
            reason = await _play(project, name, number)
            if reason:
                found[name] = reason
                break
    return found


async def _play(project: Project, flow: str, number: int) -> str:
    """Return why a flow does not end; empty if it does."""
    player = Player(project, _Nothing())
    asked: Counter[str] = Counter()
    try:
        turn = await player.turn("start", [StartFlow(flow)])
        while not turn.failures and turn.active_flow == flow and turn.asked_slot:
            asked[turn.asked_slot] += 1
            if asked[turn.asked_slot] > _MOST_QUESTIONS:
                return f"it asks for {turn.asked_slot} again and again"
            slot = project.domain.slots.get(turn.asked_slot)
            turn = await player.turn("answer", [SetSlot(turn.asked_slot, _answer(slot, number))])
    except CommandLineError as exc:
        return str(exc)
    # Not its place, which is that of a file that is gone.
    return turn.failures[0].what if turn.failures else ""


class _Nothing:
    """A webhook whose actions do nothing."""

    async def post(self, body: bytes) -> ActionReply:
        return ActionReply(200, {"events": [], "responses": []}, 0.0)


def _choices(slot: Slot) -> int:
    return 2 if slot.type == "bool" else len(slot.values)


def _answer(slot: Slot | None, number: int) -> Any:
    if slot is None:
        return "something"
    if slot.values:
        return slot.values[number % len(slot.values)]
    plain: Mapping[str, Any] = {"bool": number % 2 == 0, "float": slot.min_value or slot.max_value or 1}
    return plain.get(slot.type, "something")
