"""The engine's own actions, as they were read in rasa-pro 3.21.0 (rasa/core/actions, rasa/dialogue_understanding)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.options import join_options
from action_server.flows.player.stack import NEXT, PATTERN_COLLECT, Frame
from action_server.flows.player.values import REFUSALS, coerce_value
from action_server.project.domain import LANGUAGE

DefaultAction = Callable[[Dialogue, Frame | None], None]

_CONTINUE = "pattern_continue_interrupted"
_TO_CONTINUE, _CONFIRMS = "interrupted_flow_to_continue", "continue_interrupted_flow_confirmation"
# Where the slot that says it is empty.
_MOST_OPTIONS = 3
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


def trigger_flow(dialogue: Dialogue, flow_id: str) -> None:
    """Start a flow that an action asks for: it interrupts what runs, which has to be gone on with by the user."""
    frames, stack = dialogue.frames, dialogue.stack
    if stack.active_standalone is not None:
        frames.emit("flow_interrupted", stack.active_standalone)
    frames.push(frames.make(flow_id, "interrupt" if stack else "regular"))
    if dialogue.state.active_loop:
        dialogue.events.emit({"event": "active_loop", "name": None})


def run_slot_rejections(dialogue: Dialogue, frame: Frame | None) -> None:
    """Refuse a value the slot cannot hold, or that one of the rules forbids: say so, and empty the slot."""
    context = frame.context if frame else {}
    name = context.get("collect") or context.get("validate")
    slot = dialogue.domain.slots.get(name or "")
    if slot is None or frame is None or dialogue.state.slots.get(slot.name) is None:
        return
    if slot.name not in dialogue.state.has_been_set:
        # The value it starts with is not looked at.
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
    if coerced.value != value or type(coerced.value) is not type(value):
        dialogue.events.set_slot(slot.name, coerced.value)


def cancel_flow(dialogue: Dialogue, frame: Frame | None) -> None:
    """Let the frames that the pattern is about end, each when its turn comes."""
    if frame is not None and frame.flow_id == "pattern_cancel_flow":
        dialogue.frames.wrap_up(frame.context.get("canceled_frames") or [])


def correct_flow_slot(dialogue: Dialogue, frame: Frame | None) -> None:
    """Take the flow back to where the first of the corrected slots was asked for, and set them, as they were told."""
    context = frame.context if frame else {}
    stack = dialogue.stack
    target = next((f for f in reversed(stack) if f.is_flow and f.flow_id == context.get("reset_flow_id")), None)
    if target is not None and context.get("reset_step_id"):
        for above in stack[stack.index(target) + 1 :]:
            if above.flow_id == PATTERN_COLLECT or (above.is_flow and above.frame_type == "call"):
                above.wrap_up()
        target.step_id = f"{NEXT}{context['reset_step_id']}"
    for name, correction in (context.get("corrected_slots") or {}).items():
        dialogue.events.set_slot(name, correction["value"], filled_by=correction["filled_by"])


def clarify_flows(dialogue: Dialogue, frame: Frame | None) -> None:
    """Make the text of the options, no more of them than `max_clarification_options`."""
    if frame is None or frame.flow_id != "pattern_clarification":
        return
    limit = dialogue.state.slots.get("max_clarification_options")
    most = int(limit) if isinstance(limit, (int, float)) else _MOST_OPTIONS
    names = [str(name) for name in frame.context.get("names") or ()][:most]
    frame.context.update(names=names, clarification_options=join_options(names, "or"))


def repeat_bot_messages(dialogue: Dialogue, frame: Frame | None) -> None:
    """Say what the bot said last, without a message in between; not the question that is asked again anyway."""
    said: list[Mapping[str, Any]] = []
    for event in reversed(dialogue.state.events):
        if event["event"] == "user" and said:
            break
        if event["event"] == "bot":
            said.insert(0, event)
    own = ("pattern_repeat_bot_messages", "pattern_user_silence")
    below = next((f for f in reversed(dialogue.stack) if f.flow_id not in own), None)
    if below is not None and below.flow_id == PATTERN_COLLECT:
        said = said[:-1]
    for message in said:
        dialogue.responses.repeat_message(message)


def continue_interrupted_flow(dialogue: Dialogue, frame: Frame | None) -> None:
    """Bring the flow to the top that the user wants to go on with."""
    asking = dialogue.stack.open_pattern(_CONTINUE)
    if asking is None:
        return
    ids, names = asking.context["interrupted_flow_ids"], asking.context["interrupted_flow_names"]
    wanted = dialogue.state.slots.get(_TO_CONTINUE)
    flow_id = ids[0] if len(ids) == 1 else wanted if wanted in ids else dict(zip(names, ids, strict=True)).get(wanted)
    if flow_id is None:
        dialogue.recorder.add_note(
            f"no interrupted flow is called {wanted!r}: engines say so, and what is on top goes on"
        )
        return
    dialogue.frames.resume(flow_id)
    dialogue.events.set_slot(_TO_CONTINUE, None)
    dialogue.events.set_slot(_CONFIRMS, None)


def cancel_interrupted_flows(dialogue: Dialogue, frame: Frame | None) -> None:
    """Cancel the interrupted flows, one after the other. Users are told their ids."""
    frames = dialogue.frames
    asking = dialogue.stack.open_pattern(_CONTINUE)
    if asking is None:
        return
    groups = [(i, g) for i in asking.context["interrupted_flow_ids"] if (g := dialogue.stack.standalone_group(i))]
    for _, group in groups:
        frames.emit("flow_cancelled", group[0])
    for flow_id, group in reversed(groups):
        ids = [other.frame_id for other in group]
        frames.push(frames.make("pattern_cancel_flow", canceled_name=flow_id, canceled_frames=ids))
    dialogue.events.set_slot(_TO_CONTINUE, None)
    dialogue.events.set_slot(_CONFIRMS, None)


def clean_stack(dialogue: Dialogue, frame: Frame | None) -> None:
    """Let everything end; a flow that does this goes on, and is the last one to."""
    stack = dialogue.stack
    top, flow = next((f for f in reversed(stack) if f.flow_id != PATTERN_COLLECT), None), stack.active
    goes_on = flow if flow is not None and top is flow else None
    for other in stack:
        if other is not goes_on:
            other.wrap_up()
            # So that nobody is asked whether it goes on.
            other.frame_type = "regular" if other.is_flow else other.frame_type
    if goes_on is not None:
        stack.remove_frames([goes_on])
        stack.insert(0, goes_on)


def session_start(dialogue: Dialogue, frame: Frame | None) -> None:
    """Begin a session: nothing is left but the slots, if the domain carries them over."""
    carried = dict(dialogue.state.slots) if dialogue.domain.session.carry_over_slots_to_new_session else {}
    started = dialogue.state.slots.get("session_started_metadata")
    dialogue.events.emit({"event": "session_started"})
    for name, value in carried.items():
        if dialogue.state.slots.get(name) != value:
            dialogue.events.set_slot(name, value)
    if isinstance(started, Mapping) and started.get(LANGUAGE):
        dialogue.events.set_slot(LANGUAGE, started[LANGUAGE])


def restart(dialogue: Dialogue, frame: Frame | None) -> None:
    """Begin anew, with all slots as at the start."""
    dialogue.responses.utter_response("utter_restart", None, "action_restart")
    dialogue.events.emit({"event": "restart"})


def default_fallback(dialogue: Dialogue, frame: Frame | None) -> None:
    """Say utter_default, if there is one, and take the user's message back."""
    dialogue.responses.utter_response("utter_default", frame, "action_default_fallback")
    dialogue.events.emit({"event": "rewind"})


def hang_up(dialogue: Dialogue, frame: Frame | None) -> None:
    """End the session: in a voice channel, the call."""
    dialogue.events.emit({"event": "session_ended"})


def reset_routing(dialogue: Dialogue, frame: Frame | None) -> None:
    """Leave the flows, so that the next message finds its way anew: what stands behind this step never runs."""
    dialogue.events.emit({"event": "routing_session_ended"})
    # Not to the value it starts with.
    dialogue.events.set_slot("route_session_to_calm", None)


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
    """Leave the form that is active, and what it asks for."""
    dialogue.events.emit({"event": "active_loop", "name": None})
    dialogue.events.set_slot("requested_slot", None)


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
