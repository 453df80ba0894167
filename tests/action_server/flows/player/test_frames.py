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


def test_what_is_pushed_has_not_started(tmp_path: Path) -> None:
    """That is told with its first step. Questions are flows like others."""
    dialogue = dialogue_of(tmp_path)
    frames = dialogue.frames

    frames.push(frames.make("book"))
    frames.push(frames.make("pattern_collect_information", collect="day"))
    frames.emit("flow_completed", dialogue.stack[1])

    assert [frame.flow_id for frame in dialogue.stack] == ["book", "pattern_collect_information"]
    assert told(dialogue.state.events) == [("flow_completed", "pattern_collect_information")]


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


def test_a_flow_that_is_given_up_takes_its_question_along(tmp_path: Path) -> None:
    """They end when their turn comes; what lies below goes on."""
    dialogue = dialogue_of(tmp_path)
    frames = dialogue.frames
    below, flow = frames.make("pattern_completed"), frames.make("book")
    question = frames.make("pattern_collect_information", collect="day")
    for frame in (below, flow, question):
        frames.push(frame)

    frames.wrap_up(frames.cancelled_ids())

    assert [frame.has_steps_left for frame in (below, flow, question)] == [True, False, False]


def test_a_flow_that_goes_on_comes_to_the_top(tmp_path: Path) -> None:
    """With its question; what it interrupted before interrupts it now."""
    dialogue = dialogue_of(tmp_path)
    frames = dialogue.frames
    flow, question, other = frames.make("book"), frames.make("pattern_collect_information"), frames.make("other")
    for frame in (flow, question, other):
        frames.push(frame)

    assert frames.resume("book")

    assert list(dialogue.stack) == [other, flow, question]
    assert (flow.frame_type, other.frame_type) == ("interrupt", "interrupt")
    assert told(dialogue.state.events) == [("flow_resumed", "book")]
    assert not frames.resume("nowhere")


def test_users_are_told_a_flow_s_name(tmp_path: Path) -> None:
    """Its id where there is no such flow."""
    frames = dialogue_of(tmp_path).frames

    assert frames.name_of(frames.make("book")) == "book a table"
    assert frames.name_of(frames.make("nowhere")) == "nowhere"
