"""What there is to understand a message by."""

from __future__ import annotations

from action_server.flows.commands.generator import DialogueView, FlowView, SlotView
from action_server.flows.player.dialogue import Dialogue
from action_server.project.flows import CollectStep, Flow, with_called


def view_of(dialogue: Dialogue, message: str) -> DialogueView:
    """Return the view of a dialogue before a message."""
    stack = dialogue.state.stack
    startable = [f for f in dialogue.flows.values() if not f.is_pattern and dialogue.is_startable(f)]
    active = stack.active
    root = stack.root_of(active) if active else None
    active_flow = dialogue.flows.get(root.flow_id) if root else None
    running = [dialogue.flows[frame.flow_id] for frame in stack if frame.flow_id in dialogue.flows]
    asking = [f for f in running if f.is_pattern and f.collects]
    return DialogueView(
        message=message,
        transcript=tuple(_transcript(dialogue)),
        flows=tuple(FlowView(f.id, f.readable_name, f.description) for f in startable),
        slots=tuple(_slots(dialogue, [*asking, *(f for f in running if not f.is_pattern), *startable])),
        active_flow=active_flow.id if active_flow else "",
        active_flow_slots=tuple(dict.fromkeys(s.collect for s in _steps(dialogue, active_flow))) if active_flow else (),
        asked_slot=dialogue.asked_slot,
    )


def _steps(dialogue: Dialogue, flow: Flow) -> list[CollectStep]:
    return [step for member in with_called(flow, dialogue.flows) for step in member.collects]


def _slots(dialogue: Dialogue, flows: list[Flow]) -> list[SlotView]:
    found: dict[str, SlotView] = {}
    for flow in dict.fromkeys(f.id for f in flows):
        for step in _steps(dialogue, dialogue.flows[flow]):
            slot = dialogue.domain.slots.get(step.collect)
            if slot is None or slot.is_controlled or slot.type == "list":
                continue
            known = found.get(slot.name)
            collecting = (*known.flows, flow) if known else (flow,)
            found[slot.name] = SlotView(
                name=slot.name,
                type=slot.type,
                description=known.description if known and known.description else step.description,
                value=dialogue.state.slots.get(slot.name),
                values=slot.values,
                flows=tuple(dict.fromkeys(collecting)),
            )
    return list(found.values())


def _transcript(dialogue: Dialogue) -> list[tuple[str, str]]:
    said = [e for e in dialogue.state.events if e["event"] in ("user", "bot") and e.get("text")]
    return [(str(event["event"]), str(event["text"])) for event in said]
