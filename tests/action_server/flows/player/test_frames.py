"""Frames are made, pushed and told."""

from __future__ import annotations

from pathlib import Path

from tests.action_server.flows.player.playing import dialogue_of


def told(events: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(event["event"], event.get("flow_id") or event.get("name")) for event in events]


def test_a_frame_is_of_a_flow_or_of_a_pattern(tmp_path: Path) -> None:
    """By the id; no two have one id of their own, and the same seed makes the same ids."""
    first, second = dialogue_of(tmp_path / "a").frames, dialogue_of(tmp_path / "b").frames

    flow, pattern = first.make("book"), first.make("pattern_completed", previous_flow_name="x")

    assert (flow.is_flow, pattern.is_flow, pattern.context) == (True, False, {"previous_flow_name": "x"})
    assert flow.frame_id != pattern.frame_id
    assert [second.make("book").frame_id for _ in range(2)] == [flow.frame_id, pattern.frame_id]


def test_what_is_pushed_is_told_but_for_questions(tmp_path: Path) -> None:
    """There are too many questions to be told as flows of their own."""
    dialogue = dialogue_of(tmp_path)
    frames = dialogue.frames

    frames.push(frames.make("book"))
    frames.push(frames.make("pattern_collect_information", collect="day"))
    frames.emit("flow_completed", dialogue.stack[1])

    assert [frame.flow_id for frame in dialogue.stack] == ["book", "pattern_collect_information"]
    assert told(dialogue.state.events) == [("flow_started", "book")]


def test_the_step_that_asks_is_the_one_below_its_question(tmp_path: Path) -> None:
    """None does while no question waits."""
    frames = dialogue_of(tmp_path).frames
    flow = frames.make("book")
    frames.push(flow)
    flow.step_id = frames.flows["book"].steps[0].id
    assert frames.asking_step() is None

    frames.push(frames.make("pattern_collect_information", collect="day"))

    step = frames.asking_step()
    assert step is not None
    assert step.collect == "day"


def test_a_cancelled_flow_takes_its_question_and_its_slots_along(tmp_path: Path) -> None:
    """What lies below goes on."""
    dialogue = dialogue_of(tmp_path)
    frames = dialogue.frames
    below, flow = frames.make("pattern_completed"), frames.make("book")
    for frame in (below, flow, frames.make("pattern_collect_information", collect="day")):
        dialogue.stack.append(frame)
    dialogue.events.set_slot("day", "Monday")

    frames.cancel(flow)

    assert list(dialogue.stack) == [below]
    assert dialogue.state.slots["day"] is None
    assert told(dialogue.state.events) == [("slot", "day"), ("flow_cancelled", "book"), ("slot", "day")]


def test_users_are_told_a_flow_s_name(tmp_path: Path) -> None:
    """Its id where there is no such flow."""
    frames = dialogue_of(tmp_path).frames

    assert frames.name_of(frames.make("book")) == "book a table"
    assert frames.name_of(frames.make("nowhere")) == "nowhere"
