"""What a person sees of tests: failures with the turn that was expected beside the one that was, and the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from action_server.flows.e2e.checks import shown
from action_server.flows.e2e.coverage import FlowCoverage, percentage
from action_server.flows.e2e.paths import Repeated
from action_server.flows.e2e.runner import Played, Result
from action_server.flows.session.show import describe
from action_server.project.places import Problem

_OUTCOMES = {"passed": "green", "failed": "bold red", "error": "bold red"}


def show_problems(console: Console, problems: Sequence[Problem]) -> None:
    """Print what is wrong with test files, a line each."""
    for problem in problems:
        console.print(Text(f"{problem.severity}: {problem}"), soft_wrap=True)


def show_failure(console: Console, result: Result) -> None:
    """Print why a test did not pass: nothing for one that did."""
    if result.outcome == "passed":
        return
    run = f" (run {result.number})" if result.number > 1 else ""
    console.print(
        Text(result.outcome.upper(), _OUTCOMES[result.outcome]) + f"  {result.case.at}  {result.case.name}{run}",
        soft_wrap=True,
    )
    if result.problem:
        console.print(Text(f"  {result.problem}"), soft_wrap=True)
    for played in result.played:
        if played.failed or (result.problem and played is result.played[-1]):
            _show_turn(console, played)
    console.print()


def show_repeats(console: Console, repeats: Sequence[Repeated]) -> None:
    """Print how often the same words took the same way, and how another way differs."""
    if not repeats:
        return
    table = _table("test", "runs", "passed", "same path", "paths")
    for repeated in repeats:
        same = f"{repeated.same} of {repeated.runs}"
        table.add_row(Text(repeated.case.name), *map(str, (repeated.runs, repeated.passed, same, repeated.ways)))
    console.print(table)
    for repeated in repeats:
        if repeated.difference:
            console.print(Text(f"\n{repeated.case.at}  {repeated.case.name}"), soft_wrap=True)
            for line in repeated.difference:
                style = {"+": "green", "-": "red"}.get(line[:1], "dim")
                console.print(Text(f"  {line}", style), soft_wrap=True)
    console.print()


def show_coverage(console: Console, coverages: Sequence[FlowCoverage]) -> None:
    """Print a table of flows with the steps that tests came to, and the lines of those they did not."""
    table = _table("flow", "steps", "covered", "missing lines")
    for coverage in coverages:
        lines = ", ".join(map(str, coverage.missing_lines))
        where = f"{coverage.flow.at.file}: {lines}" if lines else ""
        share = f"{coverage.covered} ({_percent(coverage.covered, coverage.steps)})"
        table.add_row(Text(coverage.flow.id), str(coverage.steps), share, Text(where))
    total = percentage(coverages)
    covered, steps = (sum(getattr(c, name) for c in coverages) for name in ("covered", "steps"))
    table.add_row("all", str(steps), f"{covered} ({total:.0f} %)", "")
    console.print(table)


def show_summary(console: Console, results: Sequence[Result]) -> None:
    """Print how many tests ended how, and how long they took."""
    counts = Counter(result.outcome for result in results)
    parts = [
        Text(f"{counts[o]} {o}" + ("s" if o == "error" and counts[o] > 1 else ""), _OUTCOMES[o])
        for o in ("passed", "failed", "error")
        if counts[o]
    ]
    seconds = sum(result.seconds for result in results)
    console.print(Text(", ").join(parts) + Text(f" in {seconds:.1f} s"))


def actual_of(played: Played) -> Iterator[str]:
    """Yield what happened in a turn, in the words of tests."""
    turn = played.turn
    if played.step is not None:
        yield f"understood: {'; '.join(map(describe, turn.commands)) or 'nothing'}"
        yield f"  because: {turn.because}"
    for event in turn.events:
        kind = event["event"]
        if kind == "slot":
            yield f"slot_was_set: {event['name']} = {shown(event.get('value'))}"
        elif kind == "action" and event.get("name") != "action_listen":
            yield f"action_executed: {event['name']}"
        elif kind in ("flow_started", "flow_completed", "flow_cancelled"):
            yield f"{kind}: {event['flow_id']}"
        elif kind == "bot":
            name = (event.get("metadata") or {}).get("utter_action")
            yield f"bot_uttered: {f'{name} ' if name else ''}{shown(event.get('text'))}"
    yield from (f"! {failure}" for failure in turn.failures)
    yield from (f"! {call}" for call in played.failed_calls)


def _show_turn(console: Console, played: Played) -> None:
    step = played.step
    where = f"{step.at}  you: {step.message}" if step else "before the first message"
    console.print(Text(f"  {where}", "bold"), soft_wrap=True)
    checks = step.checks if step else played.failed
    expected = Text("\n").join(
        Text(f"x {check}  (line {check.at.line})", "red") if check in played.failed else Text(f"+ {check}", "green")
        for check in checks
    )
    table = Table(box=None, padding=(0, 0, 0, 4), header_style="bold", expand=False)
    table.add_column("expected", overflow="fold", ratio=1)
    table.add_column("actual", overflow="fold", ratio=1)
    table.add_row(expected, Text("\n".join(actual_of(played))))
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
