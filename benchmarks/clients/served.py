"""What the matrix serves: the clinic's actions, and one that takes every type of slot and answers what arrived."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from action_server import action
from actions import lifespan
from actions.appointments import ActionCheckUrgentSlots, ActionCreateAppointment
from actions.changes import ActionCancelAppointment, ActionListAppointments, ActionRescheduleAppointment

__all__ = [
    "ActionCancelAppointment",
    "ActionCheckUrgentSlots",
    "ActionCreateAppointment",
    "ActionListAppointments",
    "ActionRescheduleAppointment",
    "action_probe",
    "lifespan",
]


@action
async def action_probe(
    word: Annotated[str | None, Field(description="Any words.")] = None,
    kind: Annotated[Literal["small", "large"] | None, Field(description="Which one.")] = None,
    flag: Annotated[bool | None, Field(description="Whether it is.")] = None,
    count: Annotated[float | None, Field(description="How much.")] = None,
    items: Annotated[list[str] | None, Field(description="Which ones.")] = None,
    thing: Annotated[Any, Field(description="Anything.")] = None,
) -> dict[str, str]:
    """Tell what arrived."""
    found = {"word": word, "kind": kind, "flag": flag, "count": count, "items": items, "thing": thing}
    return {"probe_seen": "|".join(f"{name}={_shown(value)}" for name, value in found.items())}


def _shown(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else "nothing" if value is None else str(value)
