"""The rule about ways that lead back to where they began without asking: a turn on them does not end.

Only what is certain is told: ways without a condition, and ways on which nothing runs that could change what their
conditions look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.flows import (
    END,
    ActionStep,
    CallStep,
    CollectStep,
    Flow,
    LinkStep,
    NoopStep,
    Step,
)

# A step of a flow, by the ids of both.
_Node = tuple[str, str]
_Ways = Mapping[_Node, list[_Node]]


def check_endless_flows(subject: Subject) -> None:
    """Report each way that is closed, at the step that closes it."""
    flows = subject.project.all_flows
    steps = {(flow.id, step.id): step for flow in subject.project.flows.values() for step in flow.by_id.values()}
    silent = {node: step for node, step in steps.items() if not _asks(step)}
    only_way = {node: _ways(node, step, flows) for node, step in silent.items() if _has_one_way(step)}
    unchanging = {
        node: _ways(node, step, flows)
        for node, step in silent.items()
        if isinstance(step, (NoopStep, LinkStep)) or _is_flow_call(step)
    }
    for flow, step_id in dict.fromkeys((*_closing(only_way), *_closing(unchanging))):
        step = steps[flow, step_id]
        subject.findings.add(
            catalogue.ENDLESS_FLOW,
            step.at,
            f"from the step {step_id!r} of the flow {flow!r} ({step.what}) it goes back to where it came from, and "
            "nothing on the way asks",
            "collect a slot on the way, or lead out of it by a condition on what an action sets",
        )


def _asks(step: Step) -> bool:
    return isinstance(step, CollectStep) or (isinstance(step, ActionStep) and step.action == "action_listen")


def _is_flow_call(step: Step) -> bool:
    return isinstance(step, CallStep) and not step.mcp_server


def _has_one_way(step: Step) -> bool:
    return isinstance(step, LinkStep) or _is_flow_call(step) or (len(step.next) == 1 and step.next[0].condition is None)


def _ways(node: _Node, step: Step, flows: Mapping[str, Flow]) -> list[_Node]:
    """Return the steps that can be next. What follows a call depends on what the called flow asks."""
    if isinstance(step, (LinkStep, CallStep)):
        target = flows.get(step.link if isinstance(step, LinkStep) else step.call)
        return [(target.id, target.steps[0].id)] if target is not None and target.steps else []
    return [(node[0], branch.target) for branch in step.next if branch.target != END]


def _closing(ways: _Ways) -> Iterator[_Node]:
    """Yield each node from which a way leads back to one that it came by."""
    done: set[_Node] = set()
    for start in ways:
        if start in done:
            continue
        path: dict[_Node, Iterator[_Node]] = {start: iter(ways[start])}
        while path:
            node, rest = next(reversed(path.items()))
            following = next(rest, None)
            if following is None:
                done.add(node)
                del path[node]
            elif following in path:
                yield node
            elif following in ways and following not in done:
                path[following] = iter(ways[following])
