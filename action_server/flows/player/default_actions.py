"""The engine's own actions, as the documentation describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.frames import Frames
from action_server.flows.player.stack import NEXT, PATTERN_COLLECT, Frame
from action_server.flows.player.values import REFUSALS, coerce_value

DefaultAction = Callable[[Dialogue, Frame | None], None]

_CLASSIC = "belongs to the policies of classic assistants, which the player does not play"
NOT_PLAYED: Mapping[str, str] = {
    "action_send_text": "action_send_text sends what a language model wrote, which the player does not have",
    "action_default_ask_affirmation": f"action_default_ask_affirmation {_CLASSIC}",
    "action_default_ask_rephrase": f"action_default_ask_rephrase {_CLASSIC}",
    "action_two_stage_fallback": f"action_two_stage_fallback {_CLASSIC}",
    "action_unlikely_intent": f"action_unlikely_intent {_CLASSIC}",
    "action_revert_fallback_events": f"action_revert_fallback_events {_CLASSIC}",
    "action_back": f"action_back {_CLASSIC}",
}


def start_linked_flow(frames: Frames, flow_id: str) -> None:
    """Put a flow on top of the stack that another one, or an action, leads to."""
    frames.push(frames.make(flow_id, "link"))


def run_slot_rejections(dialogue: Dialogue, frame: Frame | None) -> None:
    """Refuse a value the slot cannot hold, or that one of the rules forbids: say so, and empty the slot."""
    context = frame.context if frame else {}
    name = context.get("collect") or context.get("validate")
    slot = dialogue.domain.slots.get(name or "")
    if slot is None or frame is None or dialogue.state.slots.get(slot.name) is None:
        return
    value = dialogue.state.slots[slot.name]
    coerced = coerce_value(slot, value)
    if coerced.refused:
        dialogue.events.set_slot(slot.name, None)
        dialogue.recorder.add_note(f"slot {slot.name} ({slot.type}) cannot hold {value!r}")
        dialogue.responses.utter_response(
            REFUSALS.get(slot.type, ""), frame, "action_run_slot_rejections", {"value": value}
        )
        return
    if coerced.value != value or type(coerced.value) is not type(value):
        dialogue.events.set_slot(slot.name, coerced.value)
    for rejection in frame.rejections:
        decision = dialogue.conditions.evaluate_rejection(rejection.condition, slot.name, coerced.value)
        if not (decision.value or decision.error):
            continue
        if decision.error:
            what = f"the condition {rejection.condition.text!r} raises, which rejects: {decision.error}"
            dialogue.recorder.add_failure(what, rejection.at, frame)
        utter = "utter_internal_error_rasa" if decision.error else rejection.utter
        dialogue.events.set_slot(slot.name, None)
        if not dialogue.responses.utter_response(utter, frame, "action_run_slot_rejections", {"value": value}):
            dialogue.recorder.add_failure(f"the domain has no response {utter!r}", rejection.at, frame)
        return


def cancel_flow(dialogue: Dialogue, frame: Frame | None) -> None:
    """End the flow the pattern is about, or the active one; reset its slots."""
    wanted = (frame.context.get("canceled_frames") or []) if frame else []
    stack = dialogue.stack
    roots = [root for root in stack.roots if root.frame_id in wanted]
    active = stack.active
    if not wanted and active is not None:
        root = stack.root_of(active)
        roots = [root] if root else []
    for root in roots:
        dialogue.frames.cancel(root)


def correct_flow_slot(dialogue: Dialogue, frame: Frame | None) -> None:
    """Set the corrected slots, and take the flow back to where the first of them was asked for."""
    context = frame.context if frame else {}
    for name, correction in (context.get("corrected_slots") or {}).items():
        slot = dialogue.domain.slots.get(name)
        value = coerce_value(slot, correction["value"]).value if slot else correction["value"]
        dialogue.events.set_slot(name, value, filled_by=correction["filled_by"], metadata={"command": "correct slot"})
    stack = dialogue.stack
    target = next((f for f in reversed(stack) if f.is_flow and f.flow_id == context.get("reset_flow_id")), None)
    if target is None or not context.get("reset_step_id"):
        return
    # What it called and asked since then starts anew; the correction itself, above, goes on.
    above = stack[stack.index(target) + 1 :]
    stack.remove_frames([f for f in above if f.is_flow or f.flow_id == PATTERN_COLLECT])
    target.step_id = f"{NEXT}{context['reset_step_id']}"


def clarify_flows(dialogue: Dialogue, frame: Frame | None) -> None:
    """Make the text of the options, no more of them than `max_clarification_options`."""
    if frame is None:
        return
    names = [str(name) for name in frame.context.get("names") or ()]
    limit = dialogue.state.slots.get("max_clarification_options")
    if isinstance(limit, (int, float)) and limit > 0:
        names = names[: int(limit)]
    frame.context["clarification_options"] = join_options(names)


def join_options(names: list[str]) -> str:
    """Return "a, b or c"."""
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def repeat_bot_messages(dialogue: Dialogue, frame: Frame | None) -> None:
    """Say what the bot said last; but not a question that is asked again anyway when the flow goes on."""
    events = dialogue.state.events
    users = [i for i, event in enumerate(events) if event["event"] == "user"]
    # The message that asks for it is the last one.
    start = users[-2] if len(users) > 1 else 0
    said = [e for e in events[start : users[-1] if users else len(events)] if e["event"] == "bot"]
    below = next((f for f in reversed(dialogue.stack) if f is not frame), None)
    again = below.context.get("utter") if below is not None and below.flow_id == PATTERN_COLLECT else None
    asked_by_action = (
        below is not None
        and below.flow_id == PATTERN_COLLECT
        and dialogue.domain.lists(str(below.context.get("collect_action")))
    )
    if asked_by_action and said:
        said = said[:-1]
    for event in said:
        if again is None or event.get("metadata", {}).get("utter_action") != again:
            dialogue.responses.repeat_message(event)


def continue_interrupted_flow(dialogue: Dialogue, frame: Frame | None) -> None:
    """Bring the flow to the top that the user wants to go on with."""
    stack = dialogue.stack
    wanted = str(dialogue.state.slots.get("interrupted_flow_to_continue") or "").strip().lower()
    roots = [root for root in stack.roots if root.interrupted]
    named = [r for r in roots if wanted in (r.flow_id.lower(), dialogue.frames.name_of(r).lower())]
    if wanted and roots and not named:
        dialogue.recorder.add_note(f"no interrupted flow is called {wanted!r}; the last one goes on")
    chosen = (named or roots)[-1:]
    own = [f for f in stack if frame is not None and f is frame]
    for root in chosen:
        group = [f for f in stack.group(root) if f is not frame]
        stack.move_to_top([*group, *own])


def cancel_interrupted_flows(dialogue: Dialogue, frame: Frame | None) -> None:
    """End the interrupted flows."""
    ids = (frame.context.get("interrupted_flow_ids") or []) if frame else []
    for root in [r for r in dialogue.stack.roots if r.interrupted and (not ids or r.flow_id in ids)]:
        dialogue.frames.cancel(root)


def clean_stack(dialogue: Dialogue, frame: Frame | None) -> None:
    """End everything but the pattern this runs in."""
    dialogue.stack[:] = [f for f in dialogue.stack if f is frame]


def session_start(dialogue: Dialogue, frame: Frame | None) -> None:
    """Begin a session: nothing is left but the slots, if the domain carries them over."""
    carried = dict(dialogue.state.slots) if dialogue.domain.session.carry_over_slots_to_new_session else {}
    dialogue.events.emit({"event": "session_started"})
    for name, value in carried.items():
        if dialogue.state.slots.get(name) != value:
            dialogue.events.set_slot(name, value)
    if frame is not None:
        dialogue.stack.append(frame)


def restart(dialogue: Dialogue, frame: Frame | None) -> None:
    """Begin anew, with all slots as at the start."""
    dialogue.events.emit({"event": "restart"})
    dialogue.responses.utter_response("utter_restart", None, "action_restart")


def default_fallback(dialogue: Dialogue, frame: Frame | None) -> None:
    """Say utter_default, if there is one, and take the user's message back."""
    dialogue.responses.utter_response("utter_default", frame, "action_default_fallback")
    dialogue.events.emit({"event": "rewind"})


def hang_up(dialogue: Dialogue, frame: Frame | None) -> None:
    """End the session: in a voice channel, the call."""
    dialogue.events.emit({"event": "session_ended"})


def reset_routing(dialogue: Dialogue, frame: Frame | None) -> None:
    """Reset all slots that are not shared with the classic part of an assistant."""
    for slot in dialogue.domain.slots.values():
        if not slot.shared_for_coexistence and not slot.is_default:
            dialogue.events.reset_slot(slot.name)
    dialogue.events.reset_slot("route_session_to_calm")


def trigger_search(dialogue: Dialogue, frame: Frame | None) -> None:
    """Search up to the answer, which a language model writes: of it only the action that says it is there."""
    send = {"event": "action", "name": "action_send_text", "policy": "EnterpriseSearchPolicy", "confidence": 1.0}
    dialogue.events.emit({**send, "action_text": None})
    note = "the Enterprise Search policy (a language model and a knowledge base) would answer here; nothing is said"
    dialogue.recorder.add_note(note)


def trigger_chitchat(dialogue: Dialogue, frame: Frame | None) -> None:
    """Without the Intentless policy this cannot be answered; engines then say so, by pattern_cannot_handle."""
    dialogue.recorder.add_note("free chitchat needs the Intentless policy; without it, pattern_cannot_handle answers")
    dialogue.frames.push(dialogue.frames.make("pattern_cannot_handle", reason="cannot_handle_chitchat"))


def deactivate_loop(dialogue: Dialogue, frame: Frame | None) -> None:
    """Leave the form that is active."""
    dialogue.events.emit({"event": "active_loop", "name": None})


def do_nothing(dialogue: Dialogue, frame: Frame | None) -> None:
    """Do nothing that a conversation shows."""


DEFAULT_ACTIONS: Mapping[str, DefaultAction] = {
    "action_listen": do_nothing,
    "action_restart": restart,
    "action_session_start": session_start,
    "action_default_fallback": default_fallback,
    "action_deactivate_loop": deactivate_loop,
    "action_run_slot_rejections": run_slot_rejections,
    "action_cancel_flow": cancel_flow,
    "action_correct_flow_slot": correct_flow_slot,
    "action_clarify_flows": clarify_flows,
    "action_repeat_bot_messages": repeat_bot_messages,
    "action_continue_interrupted_flow": continue_interrupted_flow,
    "action_cancel_interrupted_flows": cancel_interrupted_flows,
    "action_clean_stack": clean_stack,
    "action_hangup": hang_up,
    "action_reset_routing": reset_routing,
    "action_trigger_chitchat": trigger_chitchat,
    "action_trigger_search": trigger_search,
    # Counts hand-overs in the engine's own metrics.
    "action_handoff_metric": do_nothing,
    **dict.fromkeys(NOT_PLAYED, do_nothing),
}
