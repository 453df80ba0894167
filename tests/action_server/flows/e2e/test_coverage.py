"""Which steps and ways tests came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.e2e.coverage import coverage_of, executed_steps, percentage, taken_ways
from action_server.flows.graph.graph import ELSE, Edge
from action_server.flows.player.trace import Decision
from action_server.project.flows import END, START, Flow
from action_server.project.project_reader import read_project
from tests.action_server.flows.cafe import DOMAIN, FLOWS
from tests.action_server.flows.e2e.results import end, result, step, turn
from tests.projects import project

SERVED = Decision("slots.served", True, led_to="thank")
NOT_SERVED = Decision("slots.served", False, led_to="thank")


@pytest.fixture
def flows(tmp_path: Path) -> dict[str, Flow]:
    return dict(read_project(project(tmp_path, {"domain.yml": DOMAIN, "data/flows.yml": FLOWS})).flows)


def test_steps_of_all_results_count_but_those_that_were_passed_over() -> None:
    """The end of a flow is one."""
    results = [
        result(turn("a", step("order", "ask", "collect")), turn("b", step("order", "serve"), end("order"))),
        result(turn("c", step("pay", "pay"), step("pay", "skipped", skipped=True), step("pay", ""))),
    ]

    assert executed_steps(results) == {"order": {"ask", "serve", END}, "pay": {"pay"}}


def test_a_way_is_named_by_the_condition_that_led_to_it() -> None:
    """As the graph names it: `else` where no condition held; the first way comes from START, also the second time."""
    results = [
        result(
            turn("a", step("order", "serve", led_to=[SERVED]), step("order", "thank"), end("order")),
            turn("b", step("order", "serve", led_to=[NOT_SERVED]), end("order")),
        )
    ]

    assert taken_ways(results)["order"] == {
        Edge(START, "serve"),
        Edge("serve", "thank", "slots.served"),
        Edge("thank", END),
        Edge("serve", END, ELSE),
    }


def test_coverage_has_the_steps_that_are_missing_with_their_lines(flows: dict[str, Flow]) -> None:
    """Flow by flow, in the order of the files."""
    results = [result(turn("a", step("order_drink", "ask_drink", "collect"), step("order_drink", "serve")))]

    order, pay, look_up = coverage_of(flows, results)

    assert (order.steps, order.covered, [s.id for s in order.missing]) == (3, 2, ["thank"])
    assert order.missing_lines == [flows["order_drink"].by_id["thank"].at.line]
    assert (pay.covered, look_up.covered) == (0, 0)
    assert percentage([order, pay, look_up]) == pytest.approx(100 * 2 / 6)


def test_nothing_to_cover_is_covered() -> None:
    """A project without flows does not fail for it."""
    assert percentage([]) == 100.0
