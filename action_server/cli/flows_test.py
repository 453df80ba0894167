"""`action-server flows test`: runs a project's end-to-end tests."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.flows.e2e import report
from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.coverage import FlowCoverage, coverage_of, percentage
from action_server.flows.e2e.junit import write_junit
from action_server.flows.e2e.paths import Repeated, compare
from action_server.flows.e2e.reader import find_files, read_cases
from action_server.flows.e2e.runner import Result, play
from action_server.flows.session import stage
from action_server.flows.session.failures import FailureLog, listening
from action_server.flows.session.loop import interruptible
from action_server.flows.session.turn_json import turn_as_json
from action_server.project.places import Problems
from action_server.project.project import Project

# Where projects keep their tests, in order.
_FOLDERS = ("tests", "test", "e2e_tests", "e2e")
DESCRIPTION = """\
Run tests in Rasa's end-to-end format against the real actions, without an engine. Each test has a conversation of its
own, and services with the settings of tests/action_server.yml: an empty database, say.

Exit code 0: all passed; 1: one did not, or too few steps were covered; 2: the tests or settings cannot be read."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="files and folders with tests (default: the project's)"
    )
    stage.add_flags(parser)
    parser.add_argument("-k", dest="only", metavar="TEXT", help="only tests whose name contains this, in any case")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first test that does not pass")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="run each test N times and compare")
    parser.add_argument("--coverage", action="store_true", help="show which steps of the flows the tests came to")
    parser.add_argument("--coverage-min", metavar="PERCENT", type=float, help="fail below this; implies --coverage")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit XML")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace, settings: Settings, environment: Mapping[str, str]) -> int:
    """Run the tests. Returns 0 if all passed, 1 if not.

    Raises:
        SettingsError: a flag, or a file it names, is wrong; there are no tests.
        StartupError: an action or a service cannot be made.
    """
    if args.repeat < 1:
        raise SettingsError("--repeat", "must be 1 at least")
    project = stage.open_project(args)
    cases = selected([*args.paths, *map(Path, args.behind)], args.only, project)
    out = sys.stdout
    with listening(settings) as log, contextlib.redirect_stdout(sys.stderr):
        try:
            results = interruptible(_run_all(args, cases, project, settings, environment, log))
        except KeyboardInterrupt:
            return 130
    if args.junit:
        write_junit(args.junit, results, repeats=args.repeat)
    wants_coverage = args.coverage or args.coverage_min is not None
    coverages = coverage_of(project.flows, results) if wants_coverage else []
    repeats = compare(results)
    too_low = args.coverage_min is not None and percentage(coverages) < args.coverage_min
    if args.json:
        out.write(json.dumps(_as_json(results, coverages, repeats), default=str, indent=2) + "\n")
    else:
        _show(_console(out), results, coverages, repeats, args.coverage_min if too_low else None)
    return int(too_low or any(result.outcome != "passed" for result in results))


def selected(paths: Sequence[Path], only: str | None, project: Project) -> list[Case]:
    """Return the cases of the paths, or of the project, whose names contain ``only``.

    Raises:
        SettingsError: there are none, or a file is wrong; what exactly is printed to standard error.
    """
    problems = Problems()
    own = (Path(project.root) / name for name in _FOLDERS)
    files = find_files(list(paths) or [folder for folder in own if folder.is_dir()], problems)
    cases, found = read_cases(files, Path(project.root))
    problems += found
    report.show_problems(Console(stderr=True), problems)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise SettingsError("the tests", f"cannot be run: {errors} of their lines cannot be read")
    cases = [case for case in cases if only is None or only.casefold() in case.name.casefold()]
    if not cases:
        where = f"of a name with {only!r}" if only else f"below {project.root}/tests"
        raise SettingsError("the tests", f"there are none {where if not paths or only else 'there'}")
    return cases


async def _run_all(
    args: argparse.Namespace,
    cases: Sequence[Case],
    project: Project,
    settings: Settings,
    environment: Mapping[str, str],
    log: FailureLog,
) -> list[Result]:
    results: list[Result] = []
    async with stage.open_stage(args, project, settings, environment, as_in_tests=True) as opened:
        with _progress(len(cases) * args.repeat, is_wanted=not args.json) as advance:
            for case in cases:
                for number in range(1, args.repeat + 1):
                    results.append(await play(case, opened, log, number))
                    advance(case.name)
                    if args.fail_fast and results[-1].outcome != "passed":
                        return results
    return results


@contextlib.contextmanager
def _progress(total: int, *, is_wanted: bool) -> Iterator[Any]:
    """Show a bar on a terminal, and nothing elsewhere; gives what moves it on."""
    console = Console(stderr=True)
    if not is_wanted or not console.is_terminal:
        yield lambda name: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda name: progress.update(task, advance=1, description=name)


def _show(
    console: Console,
    results: Sequence[Result],
    coverages: Sequence[FlowCoverage],
    repeats: Sequence[Repeated],
    missed: float | None,
) -> None:
    for result in results:
        report.show_failure(console, result)
    report.show_repeats(console, repeats)
    if coverages:
        report.show_coverage(console, coverages)
        console.print()
    report.show_summary(console, results)
    if missed is not None:
        console.print(f"coverage is {percentage(coverages):.1f} %, below {missed:g} %", highlight=False)


def _console(out: TextIO) -> Console:
    # Through a pipe nothing is wrapped to a guessed width.
    return Console(file=out) if out.isatty() else Console(file=out, width=200)


def _as_json(
    results: Sequence[Result], coverages: Sequence[FlowCoverage], repeats: Sequence[Repeated]
) -> dict[str, Any]:
    return {
        "tests": [_result(result) for result in results],
        "coverage": {
            "percent": round(percentage(coverages), 2),
            "flows": [
                {
                    "flow": c.flow.id,
                    "file": c.flow.at.file,
                    "steps": c.steps,
                    "covered": c.covered,
                    "missing": [{"step": step.id, "line": step.at.line} for step in c.missing],
                }
                for c in coverages
            ],
        }
        if coverages
        else None,
        "repeats": [
            {"test": r.case.name, "runs": r.runs, "passed": r.passed, "same": r.same, "difference": list(r.difference)}
            for r in repeats
        ],
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "test": result.case.name,
        "at": str(result.case.at),
        "run": result.number,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 3),
        "problem": result.problem or None,
        "failures": [{"at": str(check.at), "expected": str(check)} for _, check in result.failures],
        "turns": [turn_as_json(played.turn, played.failed_calls) for played in result.played],
    }
