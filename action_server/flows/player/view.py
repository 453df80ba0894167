"""What there is to understand a message by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from action_server.flows.commands.generator import DialogueView, FlowView, SlotView
from action_server.flows.player.state import State
from action_server.project.flows import CollectStep, Flow, with_called


def view_of(
    message: str, state: State, flows: Mapping[str, Flow], is_startable: Callable[[Flow], bool]
) -> DialogueView:
    """Return the view of a conversation before a message. ``is_startable`` tells whether a flow's guard holds."""
    stack = state.stack
    startable = [f for f in flows.values() if not f.is_pattern and is_startable(f)]
    active = stack.active
    root = stack.root_of(active) if active else None
    active_flow = flows.get(root.flow_id) if root else None
    asks = _collect_steps(active_flow, flows) if active_flow else []
    running = [flows[frame.flow_id] for frame in stack if frame.flow_id in flows]
    asking = [f for f in running if f.is_pattern and f.collects]
    return DialogueView(
        message=message,
        transcript=tuple(_transcript(state)),
        flows=tuple(FlowView(f.id, f.readable_name, f.description) for f in startable),
        slots=tuple(_slots(state, flows, [*asking, *(f for f in running if not f.is_pattern), *startable])),
        active_flow=active_flow.id if active_flow else "",
        active_flow_slots=tuple(dict.fromkeys(s.collect for s in asks)),
        asked_slot=stack.asked_slot,
    )


def _collect_steps(flow: Flow, flows: Mapping[str, Flow]) -> list[CollectStep]:
    return [step for member in with_called(flow, flows) for step in member.collects]


def _slots(state: State, flows: Mapping[str, Flow], collecting: list[Flow]) -> list[SlotView]:
    found: dict[str, SlotView] = {}
    for flow in dict.fromkeys(f.id for f in collecting):
        for step in _collect_steps(flows[flow], flows):
            slot = state.domain.slots.get(step.collect)
            if slot is None or slot.is_controlled or slot.type == "list":
                continue
            known = found.get(slot.name)
            collected_by = (*known.flows, flow) if known else (flow,)
            found[slot.name] = SlotView(
                name=slot.name,
                type=slot.type,
                description=known.description if known and known.description else step.description,
                value=state.slots.get(slot.name),
                values=slot.values,
                flows=tuple(dict.fromkeys(collected_by)),
            )
    return list(found.values())


def _transcript(state: State) -> list[tuple[str, str]]:
    said = [e for e in state.events if e["event"] in ("user", "bot") and e.get("text")]
    return [(str(event["event"]), str(event["text"])) for event in said]
