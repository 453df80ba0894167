"""The verb `check`: finds where code, domain, flows, rules and stories do not agree."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from action_server import __version__
from action_server.cli.console import make_console, print_json
from action_server.cli.project_flags import add_cache_flag, add_project_flags, cache_of, folder_of, read_settings
from action_server.cli.values import parse_path
from action_server.errors import SettingsError
from action_server.findings import output, sarif
from action_server.flows.check import catalogue, checking
from action_server.telemetry import logs

DESCRIPTION = """\
Compare code, domain, flows, rules, stories and forms of a Rasa project, and show where they do not agree.

Exit code 0: they agree, or there are only warnings; 1: there are errors (with --strict, or warnings); 2: the check
cannot be run. A finding is silenced by `# action-server: ignore[rule]` on its line or by [tool.action-server.check] of
pyproject.toml."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    add_project_flags(parser)
    add_cache_flag(parser)
    parser.add_argument("--strict-warnings", "--strict", action="store_true", help="exit with 1 for warnings as well")
    parser.add_argument("--no-import", action="store_true", help="do not import the actions, only read their text")
    parser.add_argument(
        "--tools",
        metavar="[SERVER=]FILE|URL",
        action="append",
        default=[],
        help="the tools of another MCP server: a file, as `tools --json` prints them, or the address of one that runs; "
        "without a name, of all others",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON for machines")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    migration = parser.add_argument_group("from a classic project to CALM")
    migration.add_argument("--migration", action="store_true", help="show what to migrate first, and draft flows")
    migration.add_argument(
        "--conversations",
        metavar="FILE",
        type=parse_path,
        help="with --migration: real conversations, to count by them",
    )
    migration.add_argument("--drafts", metavar="DIR", type=parse_path, help="with --migration: write the drafts there")


def run(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Check the project. Returns 1 if there are errors, with --strict for warnings as well.

    Raises:
        SettingsError: a flag or pyproject.toml is wrong; there is no project.
    """
    settings = read_settings(args, environment)
    # Importing the actions may log; the findings say what is wrong.
    logs.configure(logs.LogSettings("CRITICAL", "CRITICAL"))
    request = checking.Request(
        root=folder_of(args),
        actions=settings.actions,
        domain=args.domain,
        data=args.data,
        endpoints=Path(args.endpoints) if args.endpoints else None,
        load=not args.no_import,
        settings=settings,
        tools=tuple(args.tools),
        cache=cache_of(args),
    )
    if args.migration:
        return _plan_migration(args, request)
    for name in ("conversations", "drafts"):
        if getattr(args, name) is not None:
            raise SettingsError(f"--{name}", "does nothing without --migration")
    report = checking.check(request)
    if args.json:
        print_json(output.as_json(report.findings))
    elif args.sarif:
        print_json(sarif.as_sarif(report.findings, catalogue.RULES.values(), __version__))
    else:
        output.show_findings(make_console(), report.findings, checked=report.checked)
    has_failed = report.errors or (args.strict_warnings and report.warnings)
    return 1 if has_failed else 0


def _plan_migration(args: argparse.Namespace, request: checking.Request) -> int:
    from action_server.flows.migration.plan import plan

    found = plan(request, args.conversations)
    if args.drafts is not None:
        found.write(args.drafts)
    if args.json:
        print_json(found.as_json())
    else:
        make_console().print(found.as_text(), highlight=False, soft_wrap=True)
    return 0
