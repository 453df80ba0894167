"""Runs of the same words are compared by the way they took."""

from __future__ import annotations

from action_server.flows.commands.command import StartFlow
from action_server.flows.e2e.paths import compare, path_of
from action_server.flows.e2e.runner import PlayedTurn, Result
from tests.action_server.flows.e2e.results import result, step, turn


def ordered(number: int, *steps: str, outcome: str = "passed") -> Result:
    played = turn("I am thirsty", *(step("order", name) for name in steps))
    return result(played, number=number, outcome="passed" if outcome == "passed" else "failed")


def test_a_path_is_what_was_said_understood_and_done() -> None:
    """Values of slots do not belong to it, and neither do steps that were passed over; a problem does."""
    played = turn("hi", step("order", "ask", "collect"), step("order", "skipped", skipped=True))
    played.turn.commands.append(StartFlow("order"))
    before = PlayedTurn(turn("", step("pattern_session_start", "greet")).turn)

    assert path_of(result(before, played, problem="the menu is closed")) == (
        "  pattern_session_start: greet (action greet)",
        "you: hi",
        "  understood: start order",
        "  order: ask (collect ask)",
        "  error: the menu is closed",
    )


def test_the_most_frequent_way_is_compared_with_the_next() -> None:
    """By the numbers of the runs that took them first."""
    runs = [ordered(1, "ask"), ordered(2, "ask", "serve", outcome="failed"), ordered(3, "ask", "serve")]

    [found] = compare(runs)

    assert (found.runs, found.passed, found.same, found.ways) == (3, 2, 2, 2)
    assert found.difference[:2] == ("--- run 2", "+++ run 1")
    assert found.difference[-1] == "-  order: serve (action serve)"


def test_runs_that_took_one_way_have_no_difference() -> None:
    """And a test that ran once is not compared at all."""
    once = result(turn("x"), name="another case")

    [found] = compare([ordered(1, "ask"), ordered(2, "ask"), once])

    assert (found.case.name, found.same, found.ways, found.difference) == ("a case", 2, 1, ())
