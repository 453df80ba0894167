"""How flows end: their slots, and what comes after them."""

from __future__ import annotations

from action_server.flows.player.actions import Outcome
from action_server.flows.player.default_actions import join_options
from action_server.flows.player.frames import Frames
from action_server.flows.player.stack import PATTERN_COLLECT, Frame
from action_server.flows.player.trace import StepTaken
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.project.flows import END, Flow

PATTERN_COMPLETED = "pattern_completed"
PATTERN_CONTINUE = "pattern_continue_interrupted"
PATTERN_CANCEL = "pattern_cancel_flow"
PATTERN_ERROR = "pattern_internal_error"


def end_flow(frames: Frames, recorder: TurnRecorder, frame: Frame, flow: Flow, *, links: bool = False) -> None:
    """End the flow of a frame. ``links``: another one takes its place."""
    frame.step_id = END
    if frame.flow_id != PATTERN_COLLECT:
        recorder.turn.steps.append(StepTaken(flow.id, END, "end", "the flow ends", flow.at))
    frames.stack.remove_frames([frame])
    if frame.frame_type != "call":
        # What a called flow set is reset together with the flow that called it.
        frames.reset_slots_of(frame)
    frames.emit("flow_completed", frame)
    if not links:
        _push_next_pattern(frames, frame, flow)


def fail_flow(frames: Frames, frame: Frame | None) -> Outcome:
    """Cancel the flow in which something failed, and let the pattern for errors say so."""
    stack = frames.stack
    if stack.find(PATTERN_ERROR) is not None:
        # The pattern for errors fails itself: engines would go on for ever.
        stack.clear()
        return Outcome.LISTEN
    root = stack.root_of(frame) if frame is not None and frame in stack else None
    if root is not None:
        cancelled = stack[stack.index(root) :]
        for flow in (f for f in cancelled if f.is_flow):
            frames.emit("flow_cancelled", flow)
        stack.remove_frames(cancelled)
        frames.reset_slots_of(root)
    elif frame is not None and frame in stack:
        index = stack.index(frame)
        asks_for_pattern = frame.flow_id == PATTERN_COLLECT and index > 0
        stack.remove_frames(stack[index - 1 if asks_for_pattern else index :])
    frames.push(frames.make(PATTERN_ERROR, error_type="rasa_internal_error_default", info={}))
    return Outcome.GO_ON


def _push_next_pattern(frames: Frames, frame: Frame, flow: Flow) -> None:
    """Decide what comes after a flow: another one that was interrupted, or the question what else there is."""
    if frame.frame_type == "call" or frame.flow_id == PATTERN_COLLECT:
        return
    roots = frames.stack.roots
    top = roots[-1] if roots else None
    if top is not None and not top.interrupted:
        # It has not begun yet, or it was only asked about something else: it goes on by itself.
        return
    previous = frames.name_of(frame)
    if frame.is_flow or flow.id in (PATTERN_CANCEL, PATTERN_ERROR):
        previous = str(frame.context.get("canceled_name") or previous)
        if top is not None:
            _push_continue(frames, previous)
        elif flow.run_pattern_completed and flow.id != PATTERN_ERROR:
            _push_completed(frames, previous)
    elif flow.id == PATTERN_CONTINUE and top is None:
        # The interrupted flows were given up.
        _push_completed(frames, str(frame.context.get("previous_flow_name") or previous))


def _push_completed(frames: Frames, previous: str) -> None:
    if frames.stack.find(PATTERN_COMPLETED) is None:
        frames.push(frames.make(PATTERN_COMPLETED, previous_flow_name=previous))


def _push_continue(frames: Frames, previous: str) -> None:
    roots = [root for root in reversed(frames.stack.roots) if root.interrupted]
    names = [frames.name_of(root) for root in roots]
    frame = frames.make(
        PATTERN_CONTINUE,
        previous_flow_name=previous,
        interrupted_flow_names=names,
        interrupted_flow_ids=[root.flow_id for root in roots],
        interrupted_flow_options=join_options(names),
        multiple_flows_interrupted=len(roots) > 1,
    )
    frames.push(frame)
