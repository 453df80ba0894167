"""Finds the end-to-end tests that a verb is about, and runs them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from action_server.cli.console import make_console
from action_server.cli.e2e_report import show_problems
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.findings.escaping import escape_controls
from action_server.flows.e2e.cases import Case
from action_server.flows.e2e.reader import find_files, read_cases
from action_server.flows.e2e.runner import Result, play_all
from action_server.flows.session.failures import FailureLog, capture_failures
from action_server.flows.session.loop import run_interruptibly
from action_server.flows.session.stage import StageOptions, open_stage
from action_server.project.places import Problems
from action_server.project.project import Project
from action_server.project.tree_cache import TreeCache
from action_server.project.yaml_tree import Trees

# Where projects keep their end-to-end tests.
E2E_FOLDERS = ("tests", "test", "e2e_tests", "e2e")


def select_cases(
    paths: Sequence[Path], only: str | None, project: Project, cache: TreeCache | None = None
) -> list[Case]:
    """Return the cases of the paths, or of the project, whose names contain ``only`` in any case.

    ``cache`` knows files that earlier runs have read.

    Raises:
        SettingsError: there are none, or a file is wrong; what exactly is printed to standard error.
    """
    problems = Problems()
    own = (Path(project.root) / name for name in E2E_FOLDERS)
    trees = Trees(cache=cache)
    files = find_files(list(paths) or [folder for folder in own if folder.is_dir()], trees, problems)
    cases, found = read_cases(files, Path(project.root), trees)
    problems += found
    show_problems(make_console(sys.stderr), problems)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise SettingsError("the tests", f"cannot be run: {errors} of their lines cannot be read")
    cases = [case for case in cases if only is None or only.casefold() in case.name.casefold()]
    if not cases:
        where = f"of a name with {only!r}" if only else f"below {project.root}/tests"
        raise SettingsError("the tests", f"there are none {where if not paths or only else 'there'}")
    return cases


def run_cases(
    cases: Sequence[Case],
    project: Project,
    settings: Settings,
    environment: Mapping[str, str],
    options: StageOptions,
    *,
    repeat: int = 1,
    fail_fast: bool = False,
    shows_progress: bool = False,
) -> list[Result]:
    """Run tests against the project's actions. What these print goes to standard error.

    Raises:
        SettingsError: an option, or a file it names, is wrong.
        StartupError: an action or a service cannot be made.
    """

    async def play_them(log: FailureLog) -> list[Result]:
        async with open_stage(project, settings, environment, options) as stage:
            with _progress(len(cases) * repeat, is_wanted=shows_progress) as advance:
                return await play_all(cases, stage, log, repeat=repeat, fail_fast=fail_fast, on_result=advance)

    with capture_failures(settings) as log, contextlib.redirect_stdout(sys.stderr):
        return run_interruptibly(play_them(log))


@contextlib.contextmanager
def _progress(total: int, *, is_wanted: bool) -> Iterator[Callable[[Result], None]]:
    """Show a bar on a terminal, and nothing elsewhere; gives what moves it on."""
    console = make_console(sys.stderr)
    if not is_wanted or not console.is_terminal:
        yield lambda _: None
        return
    # Here, as only a person who waits sees it.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda result: progress.update(task, advance=1, description=escape_controls(result.case.name))
