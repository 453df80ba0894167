"""The verb `flows test`: runs a project's end-to-end tests."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from action_server.cli import e2e_report
from action_server.cli.console import make_console, print_error, print_json
from action_server.cli.e2e_cases import run_cases, select_cases
from action_server.cli.flags import add_json_flag
from action_server.cli.play_flags import add_play_flags, open_project, stage_options
from action_server.cli.project_flags import cache_of, read_settings
from action_server.cli.values import parse_path
from action_server.errors import SettingsError
from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.coverage import FlowCoverage, coverage_of, percentage
from action_server.flows.e2e.paraphrases import read_paraphrases, unsaid, with_paraphrases
from action_server.flows.e2e.paths import Repetition, compare
from action_server.flows.e2e.results_json import results_as_json, turns_as_json
from action_server.flows.e2e.runner import Result
from action_server.flows.e2e.stability import find_flips, spent_by

DESCRIPTION = """\
Run tests in Rasa's end-to-end format against the real actions, without an engine. Each test has a conversation of its
own, and services with the settings of tests/action_server.yml: an empty database, say.

Exit code 0: all passed; 1: one did not, or too few steps were covered; 2: the tests or settings cannot be read."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=parse_path,
        help="files and folders with tests (default: the project's)",
    )
    add_play_flags(parser)
    parser.add_argument("-k", dest="only", metavar="TEXT", help="only tests whose name contains this, in any case")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first test that does not pass")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="run each test N times and compare")
    parser.add_argument(
        "--paraphrases",
        metavar="FILE",
        type=parse_path,
        help="run each test once more for each other wording of a message",
    )
    parser.add_argument(
        "--same-path-min",
        metavar="PERCENT",
        type=float,
        help="pass if each test passes on its usual path, and at least so many of its runs take that path",
    )
    parser.add_argument("--jsonl", metavar="FILE", type=parse_path, help="write an object for each message of each run")
    parser.add_argument("--coverage", action="store_true", help="show which steps of the flows the tests came to")
    parser.add_argument("--coverage-min", metavar="PERCENT", type=float, help="fail below this; implies --coverage")
    parser.add_argument("--junit", metavar="FILE", type=parse_path, help="write JUnit XML")
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
    cases = select_cases([*args.paths, *map(Path, args.behind)], args.only, project, cache_of(args))
    results = run_cases(
        _reword(cases, args.paraphrases) if args.paraphrases else cases,
        project,
        settings,
        environment,
        stage_options(args, as_in_tests=True),
        repeat=args.repeat,
        fail_fast=args.fail_fast,
        shows_progress=not args.json,
    )
    if args.junit:
        from action_server.flows.e2e.junit import write_junit

        write_junit(args.junit, results, repeats=max((result.number for result in results), default=1))
    if args.jsonl:
        _write_lines(args.jsonl, results)
    repetitions = compare(results)
    wants_coverage = args.coverage or args.coverage_min is not None
    coverages = coverage_of(project.flows, results) if wants_coverage else []
    is_too_low = args.coverage_min is not None and percentage(coverages) < args.coverage_min
    if args.json:
        print_json(results_as_json(results, coverages, repetitions))
    else:
        _show(make_console(), results, coverages, repetitions, args.coverage_min if is_too_low else None)
    return int(is_too_low or not _is_passed(results, repetitions, args.same_path_min))


def _reword(cases: Sequence[Case], file: Path) -> list[Case]:
    paraphrases = read_paraphrases(file)
    unknown = unsaid(cases, paraphrases)
    if len(unknown) == len(paraphrases):
        raise SettingsError("--paraphrases", f"{file}: the tests say none of its messages, such as {unknown[0]!r}")
    for message in unknown:
        print_error(f"warning: {file}: no test that runs says {message!r}")
    return list(with_paraphrases(cases, paraphrases))


def _is_passed(results: Sequence[Result], repetitions: Sequence[Repetition], same_path_min: float | None) -> bool:
    """Tell the outcome: all runs pass; with a threshold the usual path of each test does, and is taken often enough."""
    if same_path_min is None:
        return all(result.outcome == "passed" for result in results)
    repeated = {(str(r.case.at), r.case.name) for r in repetitions}
    once = [result for result in results if (str(result.case.at), result.case.name) not in repeated]
    return all(result.outcome == "passed" for result in once) and all(
        r.usual_passes and r.percent >= same_path_min for r in repetitions
    )


def _write_lines(path: Path, results: Sequence[Result]) -> None:
    lines = (json.dumps(turn, ensure_ascii=False) for turn in turns_as_json(results))
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as exc:
        raise SettingsError("--jsonl", f"{path} cannot be written: {exc.strerror}") from None


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
    if repetitions:
        e2e_report.show_flips(console, find_flips(results), spent_by(results))
    if coverages:
        e2e_report.show_coverage(console, coverages)
        console.print()
    e2e_report.show_summary(console, results)
    if missed is not None:
        console.print(f"coverage is {percentage(coverages):.1f} %, below {missed:g} %")
