"""What there is to understand a message by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from action_server.flows.commands.generator import DialogueView, FlowView, SlotView
from action_server.flows.player.state import State
from action_server.project.domain import Domain
from action_server.project.flows import CollectStep, Flow, with_called

# A conversation goes back and forth between a few states of its stack.
_MOST_STATES = 16


class Views:
    """Makes the views of one conversation. What a thousand flows ask for is the same in each turn, and made once."""

    def __init__(self, flows: Mapping[str, Flow], domain: Domain, nlu: Mapping[str, tuple[str, ...]]) -> None:
        self._flows = flows
        self._domain = domain
        self._own = [flow for flow in flows.values() if not flow.is_pattern]
        self._flow_views = {
            flow.id: FlowView(flow.id, flow.readable_name, flow.description, tuple(_examples(flow, nlu)))
            for flow in self._own
        }
        self._shown: tuple[FlowView, ...] = ()
        self._asked: dict[str, list[tuple[str, str]]] = {}
        # By the ids of the flows that collect; without values.
        self._slots: dict[tuple[str, ...], tuple[SlotView, ...]] = {}

    def startable(self, is_startable: Callable[[Flow], bool]) -> list[Flow]:
        """Return the flows that a message may start. ``is_startable`` tells whether a flow's guard holds."""
        return [flow for flow in self._own if flow.guard is None or is_startable(flow)]

    def view_of(self, message: str, state: State, is_startable: Callable[[Flow], bool]) -> DialogueView:
        """Return the view of a conversation before a message."""
        flows, stack = self._flows, state.stack
        startable = self.startable(is_startable)
        active = stack.active
        root = stack.root_of(active) if active else None
        active_flow = flows.get(root.flow_id) if root else None
        asks = _collect_steps(active_flow, flows) if active_flow else []
        running = [flows[frame.flow_id] for frame in stack if frame.flow_id in flows]
        asking = [f for f in running if f.is_pattern and f.collects]
        shown = tuple(self._flow_views[flow.id] for flow in startable)
        if shown != self._shown:
            self._shown = shown
        return DialogueView(
            message=message,
            transcript=tuple(_transcript(state)),
            # The same object in each turn, if it is the same: who knows its words knows them still.
            flows=self._shown,
            slots=self._with_values(state, [*asking, *(f for f in running if not f.is_pattern), *startable]),
            active_flow=active_flow.id if active_flow else "",
            active_flow_slots=tuple(dict.fromkeys(s.collect for s in asks)),
            asked_slot=stack.asked_slot,
        )

    def _with_values(self, state: State, collecting: Iterable[Flow]) -> tuple[SlotView, ...]:
        ids = tuple(dict.fromkeys(flow.id for flow in collecting))
        found = self._slots.get(ids)
        if found is None:
            if len(self._slots) >= _MOST_STATES:
                self._slots.clear()
            found = self._slots[ids] = tuple(self._slots_of(ids))
        value_of = state.slots.get
        return tuple(slot if (value := value_of(slot.name)) is None else replace(slot, value=value) for slot in found)

    def _slots_of(self, ids: Iterable[str]) -> Iterable[SlotView]:
        """Return the slots that flows collect, in their order, each once."""
        descriptions: dict[str, str] = {}
        collected_by: dict[str, list[str]] = {}
        for flow in ids:
            for name, description in self._asked_by(flow):
                by = collected_by.setdefault(name, [])
                if not by or by[-1] != flow:
                    by.append(flow)
                descriptions[name] = descriptions.get(name) or description
        for name, by in collected_by.items():
            slot = self._domain.slots[name]
            yield SlotView(name, slot.type, descriptions[name], None, slot.values, tuple(by))

    def _asked_by(self, flow: str) -> list[tuple[str, str]]:
        """Return the slots that a flow asks for and a user's words may fill, with what its steps say of them."""
        found = self._asked.get(flow)
        if found is None:
            steps = _collect_steps(self._flows[flow], self._flows)
            found = self._asked[flow] = [(s.collect, s.description) for s in steps if self._is_filled_by_words(s)]
        return found

    def _is_filled_by_words(self, step: CollectStep) -> bool:
        slot = self._domain.slots.get(step.collect)
        return slot is not None and not slot.is_controlled and slot.type != "list"


def _examples(flow: Flow, nlu: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    return (text for trigger in flow.nlu_trigger for text in nlu.get(trigger.intent, ()))


def _collect_steps(flow: Flow, flows: Mapping[str, Flow]) -> list[CollectStep]:
    return [step for member in with_called(flow, flows) for step in member.collects]


def _transcript(state: State) -> list[tuple[str, str]]:
    said = [e for e in state.events if e["event"] in ("user", "bot") and e.get("text")]
    return [(str(event["event"]), str(event["text"])) for event in said]
