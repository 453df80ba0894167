"""The verb `flows test`: runs a project's end-to-end tests."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from action_server.cli import e2e_report
from action_server.cli.console import make_console, print_json
from action_server.cli.e2e_cases import run_cases, select_cases
from action_server.cli.flags import add_json_flag
from action_server.cli.play_flags import add_play_flags, open_project, stage_options
from action_server.cli.project_flags import cache_of, read_settings
from action_server.errors import SettingsError
from action_server.flows.e2e.coverage import FlowCoverage, coverage_of, percentage
from action_server.flows.e2e.junit import write_junit
from action_server.flows.e2e.paths import Repetition, compare
from action_server.flows.e2e.results_json import results_as_json
from action_server.flows.e2e.runner import Result

DESCRIPTION = """\
Run tests in Rasa's end-to-end format against the real actions, without an engine. Each test has a conversation of its
own, and services with the settings of tests/action_server.yml: an empty database, say.

Exit code 0: all passed; 1: one did not, or too few steps were covered; 2: the tests or settings cannot be read."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="files and folders with tests (default: the project's)"
    )
    add_play_flags(parser)
    parser.add_argument("-k", dest="only", metavar="TEXT", help="only tests whose name contains this, in any case")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first test that does not pass")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="run each test N times and compare")
    parser.add_argument("--coverage", action="store_true", help="show which steps of the flows the tests came to")
    parser.add_argument("--coverage-min", metavar="PERCENT", type=float, help="fail below this; implies --coverage")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit XML")
    add_json_flag(parser)


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the tests. Returns 0 if all passed, 1 if not.

    Raises:
        SettingsError: a flag, or a file it names, is wrong; there is no project, or it has no tests.
        StartupError: an action or a service cannot be made.
    """
    if args.repeat < 1:
        raise SettingsError("--repeat", "must be 1 at least")
    settings = read_settings(args, environment)
    project = open_project(args)
    results = run_cases(
        select_cases([*args.paths, *map(Path, args.behind)], args.only, project, cache_of(args)),
        project,
        settings,
        environment,
        stage_options(args, as_in_tests=True),
        repeat=args.repeat,
        fail_fast=args.fail_fast,
        shows_progress=not args.json,
    )
    if args.junit:
        write_junit(args.junit, results, repeats=args.repeat)
    wants_coverage = args.coverage or args.coverage_min is not None
    coverages = coverage_of(project.flows, results) if wants_coverage else []
    is_too_low = args.coverage_min is not None and percentage(coverages) < args.coverage_min
    if args.json:
        print_json(results_as_json(results, coverages, compare(results)))
    else:
        _show(make_console(), results, coverages, compare(results), args.coverage_min if is_too_low else None)
    return int(is_too_low or any(result.outcome != "passed" for result in results))


def _show(
    console: Console,
    results: Sequence[Result],
    coverages: Sequence[FlowCoverage],
    repetitions: Sequence[Repetition],
    missed: float | None,
) -> None:
    """Print failures, tables and the summary. ``missed``: the percentage that was not reached, if one was not."""
    for result in results:
        e2e_report.show_failure(console, result)
    e2e_report.show_repetitions(console, repetitions)
    if coverages:
        e2e_report.show_coverage(console, coverages)
        console.print()
    e2e_report.show_summary(console, results)
    if missed is not None:
        console.print(f"coverage is {percentage(coverages):.1f} %, below {missed:g} %")
