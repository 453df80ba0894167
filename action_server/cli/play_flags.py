"""The flags of verbs that play conversations, and what they say as options."""

from __future__ import annotations

import argparse
from functools import reduce
from typing import Any

from action_server.cli.console import print_error
from action_server.cli.flags import access_of, add_url_flags, refuse_useless
from action_server.cli.project_flags import add_cache_flag, add_project_flags, cache_of, folder_of
from action_server.cli.values import parse_service_setting
from action_server.config import settings
from action_server.config.environment import process_environment
from action_server.config.merge import merge
from action_server.errors import SettingsError
from action_server.flows.session.stage import TEMPORARY, StageOptions
from action_server.project.mantle import is_mantle
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.project.yaml_tree import Trees

_CLASSIC = (
    "; it is a classic one, of intents, stories and rules, which a Rasa engine plays: `action-server call` runs its "
    "actions, `check --migration --drafts DIR` drafts flows from it"
)
_MANTLE = (
    "; it is a Mantle project, of skills, with nothing to play or draw: `action-server tools --for mantle` prints "
    "how its skills use the actions"
)


def add_play_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what to play, who understands the user, and which actions answer."""
    add_project_flags(parser)
    add_cache_flag(parser)
    settings.add_flag(parser, "strict")
    parser.add_argument(
        "--understand",
        metavar=("HOW", "FILE"),
        nargs="+",
        action=_Understand,
        default=["offline"],
        help="who understands the user: offline (rules, the default), llm (the model of config.yml and endpoints.yml), "
        "or scripted FILE",
    )
    add_url_flags(parser)
    parser.add_argument(
        "--set",
        metavar="services.NAME=VALUE",
        dest="service_settings",
        type=parse_service_setting,
        action="append",
        default=[],
        help=f"set a setting of the actions' services; {TEMPORARY} in it is a new folder for each conversation",
    )
    parser.set_defaults(behind=[])


class _Understand(argparse.Action):
    """Takes what is its own; what stands behind it are arguments of the verb, kept as ``behind``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        own = 2 if values[0] == "scripted" else 1
        namespace.understand, namespace.behind = values[:own], values[own:]


def stage_options(args: argparse.Namespace, *, as_in_tests: bool) -> StageOptions:
    """Return what the flags say. ``as_in_tests``: with the settings of tests/action_server.yml.

    Raises:
        SettingsError: one of them does nothing beside the others, or a file it names cannot be used.
    """
    refuse_useless(args, service_settings="--set")
    access = access_of(args, args.url)
    return StageOptions(
        understand=args.understand,
        url=args.url or "",
        headers=access.headers,
        tls=access.context(),
        services=reduce(merge, args.service_settings, {}),
        as_in_tests=as_in_tests,
    )


def open_project(args: argparse.Namespace) -> Project:
    """Read the project; what cannot be read of it is said on standard error.

    Raises:
        SettingsError: there is no such folder, no project, or no flow in it that can be read.
    """
    folder = folder_of(args)
    trees = Trees(process_environment(), cache_of(args))
    project = read_project(folder, domain=args.domain, data=args.data, endpoints=args.endpoints, trees=trees)
    for problem in project.problems:
        print_error(f"{problem.severity}: {problem}")
    if not project.flows:
        is_classic = bool(project.domain.intents or project.domain.forms)
        kind = _MANTLE if is_mantle(folder) else _CLASSIC if is_classic else ""
        raise SettingsError("--project", f"{folder} has no flows that can be read{kind}")
    return project
