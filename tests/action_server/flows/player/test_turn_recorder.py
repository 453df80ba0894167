"""What happens in a turn is recorded with the step that runs."""

from __future__ import annotations

from action_server.flows.player.stack import Frame
from action_server.flows.player.trace import ActionCall, BotMessage, Decision, StepTaken
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.source import Place

FRAME = Frame("1", "book", step_id="ask")


def test_before_any_step_all_is_the_turn_s() -> None:
    """Notes, messages, calls; a decision belongs to a step alone."""
    recorder = TurnRecorder()
    recorder.begin_turn("hi", {"a": 1})

    recorder.add_note("nothing runs")
    recorder.add_note("")
    recorder.add_message(BotMessage("Hi."))
    recorder.add_call(ActionCall("action_a", 200, 1.0, {}, {}))
    recorder.add_decision(Decision("slots.a", True))

    turn = recorder.turn
    assert (turn.message, turn.slots_before, turn.notes, turn.texts) == ("hi", {"a": 1}, ["nothing runs"], ["Hi."])
    assert ([call.action for call in turn.calls], turn.steps) == (["action_a"], [])


def test_all_that_a_step_does_is_recorded_with_it() -> None:
    """And with the turn, as far as that has a place for it."""
    recorder = TurnRecorder()
    step = recorder.add_step(FRAME, StepTaken("book", "ask", "collect", "collect day"))

    recorder.add_note("asks")
    recorder.add_message(BotMessage("When?"))
    recorder.add_call(ActionCall("action_a", 200, 1.0, {}, {}))
    decision = recorder.add_decision(Decision("slots.a", True))

    assert (step.notes, step.messages, step.decisions) == (["asks"], [BotMessage("When?")], [decision])
    assert recorder.turn.calls == [step.call]
    assert recorder.turn.notes == []


def test_a_frame_s_last_step_is_forgotten_with_the_turn() -> None:
    """Another turn begins with an empty record."""
    recorder = TurnRecorder()
    step = recorder.add_step(FRAME, StepTaken("book", "ask", "collect", "collect day"))
    assert recorder.last_step_of(FRAME) is step

    recorder.begin_turn("next", {})

    assert recorder.last_step_of(FRAME) is None
    assert recorder.turn.steps == []


def test_a_failure_knows_the_step_of_its_frame() -> None:
    """Outside of any flow it has none."""
    recorder = TurnRecorder()

    recorder.add_failure("no branch fits", Place(file="f.yml", line=3), FRAME)
    recorder.add_failure("nothing answers")

    assert [(f.flow, f.step, str(f)) for f in recorder.turn.failures] == [
        ("book", "ask", "f.yml:3: no branch fits"),
        ("", "", "nothing answers"),
    ]
