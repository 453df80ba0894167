"""`action-server flows graph`: draws flows, and highlights the steps that tests come to."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from action_server.cli.flows_test import selected
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.coverage import executed_steps, taken_ways
from action_server.flows.e2e.runner import Result, play
from action_server.flows.graph.graph import Graph, graph_of, mermaid, svg
from action_server.flows.session import stage
from action_server.flows.session.failures import FailureLog, listening
from action_server.flows.session.loop import interruptible
from action_server.project.fields import did_you_mean
from action_server.project.project import Project

DESCRIPTION = """\
Draw flows as Mermaid, for Markdown pages, or as SVG.

With --executed the tests of a file are run, and the steps they come to are highlighted."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("flows", metavar="FLOW", nargs="*", help="the flows to draw, by id (default: all)")
    stage.add_flags(parser)
    parser.add_argument("--format", choices=("mermaid", "svg"), default="mermaid", help="(default: mermaid)")
    parser.add_argument(
        "--output", metavar="PATH", type=Path, help="write to this file; for several flows as SVG, to this folder"
    )
    parser.add_argument("--executed", metavar="FILE", type=Path, help="highlight what the tests of this file come to")
    parser.add_argument("-k", dest="only", metavar="TEXT", help="with --executed: only tests whose name contains this")


def run(args: argparse.Namespace, settings: Settings, environment: Mapping[str, str]) -> int:
    """Draw the flows. Tests that do not pass are said on standard error; what they came to is drawn all the same.

    Raises:
        SettingsError: a flag, or a file it names, is wrong.
        StartupError: with --executed, an action or a service cannot be made.
    """
    project = stage.open_project(args)
    results = _results(args, project, settings, environment)
    graphs = _graphs([*args.flows, *args.behind], project, results)
    if args.format == "mermaid":
        _write(args.output, mermaid(graphs))
    elif len(graphs) == 1:
        _write(args.output, svg(graphs[0]))
    elif args.output is None:
        raise SettingsError("--output", "several flows as SVG need a folder, or name one flow")
    else:
        for graph in graphs:
            _write(args.output / f"{graph.flow.id}.svg", svg(graph))
    return 0


def _graphs(names: Sequence[str], project: Project, results: Sequence[Result]) -> list[Graph]:
    flows = project.all_flows
    for name in names:
        if name not in flows:
            raise SettingsError(repr(name), f"is no flow of {project.root}{did_you_mean(name, flows)}")
    executed, taken = executed_steps(results), taken_ways(results)
    return [graph_of(flows[name], executed.get(name, ()), taken.get(name, ())) for name in names or project.flows]


def _results(
    args: argparse.Namespace, project: Project, settings: Settings, environment: Mapping[str, str]
) -> list[Result]:
    if args.executed is None:
        return []
    cases = selected([args.executed], args.only, project)
    with listening(settings) as log, contextlib.redirect_stdout(sys.stderr):
        results = interruptible(_play(args, cases, project, settings, environment, log))
    for result in results:
        if result.outcome != "passed":
            print(f"{result.case.at}: {result.case.name}: {result.outcome}", file=sys.stderr)  # noqa: T201
    return results


async def _play(
    args: argparse.Namespace,
    cases: Sequence[Case],
    project: Project,
    settings: Settings,
    environment: Mapping[str, str],
    log: FailureLog,
) -> list[Result]:
    async with stage.open_stage(args, project, settings, environment, as_in_tests=True) as opened:
        return [await play(case, opened, log) for case in cases]


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError("--output", f"{path} cannot be written: {exc.strerror}") from exc
