"""What a person sees of tests: failures with the turn that was expected beside the one that was, and the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from action_server.cli.console import make_table
from action_server.findings.escaping import escape_controls
from action_server.findings.output import print_line
from action_server.flows.e2e.coverage import FlowCoverage, percentage
from action_server.flows.e2e.paths import Repetition
from action_server.flows.e2e.report import describe_turn
from action_server.flows.e2e.runner import PlayedTurn, Result
from action_server.flows.e2e.stability import Flip, Spent
from action_server.project.places import Problem

_OUTCOMES = {"passed": "green", "failed": "bold red", "error": "bold red"}


def show_problems(console: Console, problems: Sequence[Problem]) -> None:
    """Print what is wrong with test files, a line each."""
    for problem in problems:
        print_line(console, f"{problem.severity}: {problem}")


def show_failure(console: Console, result: Result) -> None:
    """Print why a test did not pass: nothing for one that did."""
    if result.outcome == "passed":
        return
    run = f" (run {result.number})" if result.number > 1 else ""
    about = escape_controls(f"  {result.case.at}  {result.case.name}{run}")
    console.print(Text(result.outcome.upper(), _OUTCOMES[result.outcome]) + about, soft_wrap=True)
    if result.problem:
        print_line(console, f"  {result.problem}")
    for played in result.turns:
        if played.failed or (result.problem and played is result.turns[-1]):
            _show_turn(console, played)
    console.print()


def show_repetitions(console: Console, repetitions: Sequence[Repetition]) -> None:
    """Print how often the same words took the same way, and how another way differs."""
    if not repetitions:
        return
    table = make_table("test", "runs", "passed", "same path", "paths")
    for repetition in repetitions:
        runs, passed, ways = map(str, (repetition.runs, repetition.passed, repetition.ways))
        table.add_row(repetition.case.name, runs, passed, f"{repetition.same} of {runs}", ways)
    console.print(table)
    for repetition in repetitions:
        if repetition.difference:
            console.print()
            print_line(console, f"{repetition.case.at}  {repetition.case.name}")
            for line in repetition.difference:
                print_line(console, f"  {line}", {"+": "green", "-": "red"}.get(line[:1], "dim"))
    console.print()


def show_flips(console: Console, flips: Sequence[Flip], spent: Spent) -> None:
    """Print, for each message that was not understood in one way, the ways and their words; then what a turn took."""
    for flip in flips:
        runs = sum(outcome.runs for outcome in flip.outcomes)
        print_line(console, f"{flip.case.at}  {flip.case.name}, message {flip.turn}: {flip.message}")
        for number, outcome in enumerate(flip.outcomes):
            print_line(console, f"  {outcome.runs} of {runs}  {outcome.commands or 'nothing'}", "red" if number else "")
            for said in outcome.said if number else ():
                print_line(console, f"          said: {said}", "dim")
    parts = [f"{spent.turns} messages"]
    if spent.milliseconds is not None:
        parts.append(f"{spent.milliseconds:.1f} ms each")
    if spent.model_milliseconds is not None:
        parts.append(f"{spent.model_milliseconds:.1f} ms of it the model's")
    if spent.tokens is not None:
        parts.append(f"{spent.tokens:.0f} tokens each")
    if spent.cost is not None:
        parts.append(f"cost {spent.cost:.6f} each")
    console.print(Text(", ".join(parts)))
    console.print()


def show_coverage(console: Console, coverages: Sequence[FlowCoverage]) -> None:
    """Print a table of flows with the steps that tests came to, and the lines of those they did not."""
    table = make_table("flow", "steps", "covered", "missing lines")
    for coverage in coverages:
        lines = ", ".join(map(str, coverage.missing_lines))
        where = f"{coverage.flow.at.file}: {lines}" if lines else ""
        share = f"{coverage.covered} ({_percent(coverage.covered, coverage.steps)})"
        table.add_row(coverage.flow.id, str(coverage.steps), share, where)
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


def _show_turn(console: Console, played: PlayedTurn) -> None:
    step = played.step
    where = f"{step.at}  you: {step.message}" if step else "before the first message"
    print_line(console, f"  {where}", "bold")
    checks = step.checks if step else played.failed
    expected = Text("\n").join(
        Text(escape_controls(f"x {check}  (line {check.at.line})"), "red")
        if check in played.failed
        else Text(escape_controls(f"+ {check}"), "green")
        for check in checks
    )
    table = make_table("expected", "actual", indent=4, ratio=1)
    table.add_row(expected, Text("\n".join(map(escape_controls, describe_turn(played)))))
    console.print(table)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
