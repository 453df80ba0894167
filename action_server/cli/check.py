"""The verb `check`: its flags, and what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from action_server import __version__
from action_server.findings import output
from action_server.flows.check import checking
from action_server.project.location import DEFAULT_PROJECT, project_folder

DESCRIPTION = """\
Compare code, domain, flows, rules, stories and forms of a Rasa project, and show where they do not agree.

Exit code 0: they agree, or there are only warnings; 1: there are errors (with --strict, or warnings); 2: the check
cannot be run. A finding is silenced by `# action-server: ignore[rule]` on its line or by [tool.action-server.check] of
pyproject.toml."""


class HasActions(Protocol):
    """The settings that count: the name of the package of actions."""

    actions: str


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own flags; `--actions` and `--endpoints` are settings."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--project", metavar="DIR", type=Path, help=f"the Rasa project (default: {DEFAULT_PROJECT})")
    parser.add_argument("--domain", metavar="PATH", type=Path, help="the domain, if it is not domain.yml or domain/")
    parser.add_argument("--data", metavar="PATH", type=Path, help="flows, rules and stories, if they are not in data/")
    parser.add_argument("--strict-warnings", "--strict", action="store_true", help="exit with 1 for warnings as well")
    parser.add_argument("--no-import", action="store_true", help="do not import the actions, only read their text")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON for machines")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    migration = parser.add_argument_group("from a classic project to CALM")
    migration.add_argument("--migration", action="store_true", help="show what to migrate first, and draft flows")
    migration.add_argument(
        "--conversations", metavar="FILE", type=Path, help="with --migration: real conversations, to count by them"
    )
    migration.add_argument("--drafts", metavar="DIR", type=Path, help="with --migration: write the drafts there")


def run(args: argparse.Namespace, settings: HasActions) -> int:
    """Run the verb and return its exit code.

    Raises:
        SettingsError: a flag or pyproject.toml is wrong.
    """
    request = checking.Request(
        root=project_folder(args.project, here=Path.cwd(), is_spread=bool(args.domain or args.data)),
        actions=settings.actions,
        domain=args.domain,
        data=args.data,
        endpoints=Path(args.endpoints) if getattr(args, "endpoints", None) else None,
        load=not args.no_import,
    )
    if args.migration:
        return _migrate(args, request)
    report = checking.check(request)
    if args.json:
        _print_json(output.as_json(report.findings))
    elif args.sarif:
        _print_json(output.as_sarif(report.findings, __version__))
    else:
        project = report.project
        names = f"{len(project.flows)} flows, {len(project.domain.slots)} slots, {len(report.code.registered)} actions"
        output.show_findings(_console(), report.findings, checked=names)
    failed = report.errors or (args.strict_warnings and report.warnings)
    return 1 if failed else 0


def _migrate(args: argparse.Namespace, request: checking.Request) -> int:
    from action_server.flows.migration.plan import plan

    found = plan(request, args.conversations)
    if args.drafts is not None:
        found.write(args.drafts)
    if args.json:
        _print_json(found.as_json())
    else:
        _console().print(found.as_text(), markup=False, highlight=False, soft_wrap=True)
    return 0


def _console() -> Console:
    # Through a pipe nothing is wrapped to a guessed width.
    return Console() if sys.stdout.isatty() else Console(width=200)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
