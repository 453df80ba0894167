"""The verb `flows graph`: draws flows, and highlights the steps that tests come to."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from action_server.cli.console import print_error
from action_server.cli.e2e_cases import run_cases, select_cases
from action_server.cli.play_flags import add_play_flags, open_project, stage_options
from action_server.cli.project_flags import cache_of, read_settings
from action_server.cli.values import parse_path
from action_server.errors import SettingsError
from action_server.flows.e2e.coverage import executed_steps, taken_ways
from action_server.flows.e2e.runner import Result
from action_server.flows.graph.drawing import svg
from action_server.flows.graph.graph import Graph, graph_of, mermaid
from action_server.project.fields import did_you_mean
from action_server.project.project import Project

_NO_ID = re.compile(r"[^\w-]")
DESCRIPTION = """\
Draw flows as Mermaid, for Markdown pages, or as SVG.

With --executed the tests of a file are run, and the steps they come to are highlighted."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument("flows", metavar="FLOW", nargs="*", help="the flows to draw, by id (default: all)")
    add_play_flags(parser)
    parser.add_argument("--format", choices=("mermaid", "svg"), default="mermaid", help="(default: mermaid)")
    parser.add_argument(
        "--output", metavar="PATH", help="write to this file, or below this folder (for several flows as SVG always)"
    )
    parser.add_argument(
        "--executed", metavar="FILE", type=parse_path, help="highlight what the tests of this file come to"
    )
    parser.add_argument("-k", dest="only", metavar="TEXT", help="with --executed: only tests whose name contains this")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Draw the flows. Tests that do not pass are said on standard error; what they came to is drawn all the same.

    Raises:
        SettingsError: a flag, or a file it names, is wrong; there is no project.
        StartupError: with --executed, an action or a service cannot be made.
    """
    settings = read_settings(args, environment)
    project = open_project(args)
    results: list[Result] = []
    if args.executed is not None:
        cases = select_cases([args.executed], args.only, project, cache_of(args))
        results = run_cases(cases, project, settings, environment, stage_options(args, as_in_tests=True))
    for result in results:
        if result.outcome != "passed":
            print_error(f"{result.case.at}: {result.case.name}: {result.outcome}")
    graphs = _graphs_of([*args.flows, *args.behind], project, results)
    output = Path(args.output) if args.output else None
    is_svg = args.format == "svg"
    if is_svg and len(graphs) > 1 and output is None:
        raise SettingsError("--output", "several flows as SVG need a folder, or name one flow")
    if output is not None and (output.is_dir() or args.output.endswith(("/", os.sep)) or (is_svg and len(graphs) > 1)):
        for graph in graphs:
            # What is no id, and may lead out of the folder, was said when the project was read.
            name = _NO_ID.sub("_", graph.flow.id)
            _write(output / f"{name}.{'svg' if is_svg else 'mmd'}", svg(graph) if is_svg else mermaid([graph]))
    else:
        _write(output, svg(graphs[0]) if is_svg else mermaid(graphs))
    return 0


def _graphs_of(names: Sequence[str], project: Project, results: Sequence[Result]) -> list[Graph]:
    flows = project.all_flows
    for name in names:
        if name not in flows:
            raise SettingsError(repr(name), f"is no flow of {project.root}{did_you_mean(name, flows)}")
    executed, taken = executed_steps(results), taken_ways(results)
    return [graph_of(flows[name], executed.get(name, ()), taken.get(name, ())) for name in names or project.flows]


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError("--output", f"{path} cannot be written: {exc.strerror}") from exc
