"""How flows end: their slots, and what comes after them.

What engines do here was read in rasa-pro 3.21.0 (rasa/core/policies/flows/flow_executor.py, rasa/core/utils.py).
"""

from __future__ import annotations

from action_server.flows.player.actions import Outcome
from action_server.flows.player.frames import Frames
from action_server.flows.player.options import join_options
from action_server.flows.player.stack import PATTERN_COLLECT, Frame
from action_server.flows.player.trace import StepTaken
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.project.flows import END, Flow

PATTERN_COMPLETED = "pattern_completed"
PATTERN_CONTINUE = "pattern_continue_interrupted"
PATTERN_CANCEL = "pattern_cancel_flow"
PATTERN_ERROR = "pattern_internal_error"
_SEARCH = "pattern_search"


def end_flow(frames: Frames, recorder: TurnRecorder, frame: Frame, flow: Flow) -> None:
    """End the flow of a frame, which was at its last step."""
    last, frame.step_id = frame.step_id, END
    if frame.flow_id != PATTERN_COLLECT:
        recorder.turn.steps.append(StepTaken(flow.id, END, "end", "the flow ends", flow.at))
    frames.stack.remove_frames([frame])
    _push_completed(frames, frame, flow)
    _push_continue(frames, frame)
    if not (frame.is_flow and frame.frame_type == "call"):
        # What a called flow set is reset together with the flow that called it.
        frames.reset_slots_of(frame)
    frames.emit("flow_completed", frame, last)


def fail_flow(frames: Frames, name: str) -> Outcome:
    """Let the pattern for errors say that something failed, and cancel the flow. ``name`` is what users are told."""
    stack = frames.stack
    if stack.find(PATTERN_ERROR) is not None:
        # The pattern for errors fails itself: engines would go on for ever.
        stack.clear()
        return Outcome.LISTEN
    if stack.active_standalone is not None:
        frames.push(frames.make(PATTERN_CANCEL, canceled_name=name, canceled_frames=frames.cancelled_ids()))
    push_error(frames)
    return Outcome.GO_ON


def push_error(frames: Frames) -> None:
    """Let the pattern for errors say that something failed; what runs goes on after it."""
    frames.push(frames.make(PATTERN_ERROR, error_type="rasa_internal_error_default", info={}))


def end_endless_flow(frames: Frames) -> None:
    """End the flow that takes steps for ever, with all above it, and let the pattern for errors say so."""
    for frame in reversed(frames.stack):
        frame.wrap_up()
        if frame.is_flow:
            break
    push_error(frames)


def _push_completed(frames: Frames, frame: Frame, flow: Flow) -> None:
    """Ask what else there is, if nothing is left."""
    if not frames.stack and (frame.is_flow or frame.flow_id == _SEARCH) and flow.run_pattern_completed:
        frames.push(frames.make(PATTERN_COMPLETED, previous_flow_name=frames.name_of(frame, translated=False)))


def _push_continue(frames: Frames, frame: Frame) -> None:
    """Ask which of the flows that were interrupted goes on. One that has not begun counts, too."""
    interrupts = frame.is_flow and frame.frame_type == "interrupt"
    left = [f for f in frames.stack if f.is_standalone and f.has_steps_left]
    if not left or not (interrupts or frame.flow_id == _SEARCH):
        return
    names = [frames.name_of(other) for other in left]
    asking = frames.make(
        PATTERN_CONTINUE,
        interrupted_flow_names=names,
        interrupted_flow_ids=[other.flow_id for other in left],
        interrupted_flow_options=join_options(names, "and"),
        multiple_flows_interrupted=len(left) > 1,
    )
    # A flow that is linked to is a part of the one that ends, and comes first.
    top = frames.stack[-1]
    frames.stack.insert(len(frames.stack) - (top.is_flow and top.frame_type == "link"), asking)
