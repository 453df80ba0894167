"""How flows end: their slots, and what comes after them."""

from __future__ import annotations

from action_server.flows.player.actions import Outcome
from action_server.flows.player.default_actions import options_text
from action_server.flows.player.dialogue import PATTERN_COLLECT, Dialogue
from action_server.flows.player.stack import Frame
from action_server.flows.player.trace import StepTaken
from action_server.project.flows import END, Flow

PATTERN_COMPLETED = "pattern_completed"
PATTERN_CONTINUE = "pattern_continue_interrupted"
PATTERN_CANCEL = "pattern_cancel_flow"
PATTERN_ERROR = "pattern_internal_error"


def end(dialogue: Dialogue, frame: Frame, flow: Flow, *, links: bool = False) -> None:
    """End the flow of a frame. ``links``: another one takes its place."""
    frame.step_id = END
    if frame.flow_id != PATTERN_COLLECT:
        dialogue.turn.steps.append(StepTaken(flow.id, END, "end", "the flow ends", flow.at))
    dialogue.state.stack.take_out([frame])
    if frame.frame_type != "call":
        # What a called flow set is reset together with the flow that called it.
        dialogue.reset_slots_of(frame)
    dialogue.tell_flow("flow_completed", frame)
    if not links:
        _after(dialogue, frame, flow)


def give_up(dialogue: Dialogue, frame: Frame | None) -> Outcome:
    """Cancel the flow in which something failed, and let the pattern for errors say so."""
    stack = dialogue.state.stack
    if stack.find(PATTERN_ERROR) is not None:
        # The pattern for errors fails itself: engines would go on for ever.
        stack.clear()
        return Outcome.LISTEN
    root = stack.root_of(frame) if frame is not None and frame in stack else None
    if root is not None:
        frames = stack[stack.index(root) :]
        for flow in (f for f in frames if f.is_flow):
            dialogue.tell_flow("flow_cancelled", flow)
        stack.take_out(frames)
        dialogue.reset_slots_of(root)
    elif frame is not None and frame in stack:
        index = stack.index(frame)
        asks_for_pattern = frame.flow_id == PATTERN_COLLECT and index > 0
        stack.take_out(stack[index - 1 if asks_for_pattern else index :])
    error = dialogue.frame(PATTERN_ERROR, error_type="rasa_internal_error_default", info={})
    stack.append(error)
    dialogue.announce(error)
    return Outcome.GO_ON


def _after(dialogue: Dialogue, frame: Frame, flow: Flow) -> None:
    """Decide what comes after a flow: another one that was interrupted, or the question what else there is."""
    if frame.frame_type == "call" or frame.flow_id == PATTERN_COLLECT:
        return
    roots = dialogue.state.stack.roots
    top = roots[-1] if roots else None
    if top is not None and not top.interrupted:
        # It has not begun yet, or it was only asked about something else: it goes on by itself.
        return
    previous = dialogue.name_of(frame)
    if frame.is_flow or flow.id in (PATTERN_CANCEL, PATTERN_ERROR):
        previous = str(frame.context.get("canceled_name") or previous)
        if top is not None:
            _offer(dialogue, previous)
        elif flow.run_pattern_completed and flow.id != PATTERN_ERROR:
            _complete(dialogue, previous)
    elif flow.id == PATTERN_CONTINUE and top is None:
        # The interrupted flows were given up.
        _complete(dialogue, str(frame.context.get("previous_flow_name") or previous))


def _complete(dialogue: Dialogue, previous: str) -> None:
    if dialogue.state.stack.find(PATTERN_COMPLETED) is None:
        _push(dialogue, dialogue.frame(PATTERN_COMPLETED, previous_flow_name=previous))


def _offer(dialogue: Dialogue, previous: str) -> None:
    roots = [root for root in reversed(dialogue.state.stack.roots) if root.interrupted]
    names = [dialogue.name_of(root) for root in roots]
    frame = dialogue.frame(
        PATTERN_CONTINUE,
        previous_flow_name=previous,
        interrupted_flow_names=names,
        interrupted_flow_ids=[root.flow_id for root in roots],
        interrupted_flow_options=options_text(names),
        multiple_flows_interrupted=len(roots) > 1,
    )
    _push(dialogue, frame)


def _push(dialogue: Dialogue, frame: Frame) -> None:
    dialogue.state.stack.append(frame)
    dialogue.announce(frame)
