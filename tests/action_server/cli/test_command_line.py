"""The command line as people type it: which verbs there are, wrong usage, exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from action_server import __version__, cli
from action_server.cli import command_line
from action_server.cli.command_line import main
from tests.action_server.cli.bots import BOT
from tests.processes import PATIENCE, command, environment, run
from tests.projects import GREET, project

VERBS = [["chat"], ["flows", "test"], ["flows", "graph"], ["check"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_says_what_it_does(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Its help has its flags."""
    with pytest.raises(SystemExit) as ended:
        command_line.main([*verb, "--help"])

    assert ended.value.code == 0
    assert "--project DIR" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_without_the_packages_a_verb_says_how_to_install_them(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2; all other verbs work."""

    def missing(name: str, package: str | None = None) -> ModuleType:
        raise ModuleNotFoundError("No module named 'pypred'", name="pypred")

    monkeypatch.setattr(importlib, "import_module", missing)

    assert command_line.main(verb) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"error: {' '.join(verb)}: needs the package" in error
    assert 'in a clone of this project: pip install ".[flows]"' in error
    with pytest.raises(SystemExit) as ended:
        command_line.main(["--help"])
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["call", "action_x", "noequals"], "error: 'noequals': is not slot=value"),
        (["call", "action_x", "--domain", "nowhere.yml"], "error: --domain: there is no file or folder nowhere.yml"),
        (["call", "action_x", "--domain", "list.yml"], "error: --domain: list.yml is not a domain"),
        (["run", "--port", "eighty"], "error: --port: "),
        (["list", "--actions", "no.such"], "error: no.such: cannot import 'no.such': there is no such module"),
        (["run", "--nonsense"], "action-server run: error: there is no --nonsense; `action-server run --help` lists"),
        (["list", "--nonsense"], "usage: action-server"),
        (["nonsense"], "usage: action-server"),
        (["list", "--actions", "empty"], "error: --actions: empty has no actions: no subclass of rasa_sdk.Action"),
        (["call", "action_quiet", "--header", "a:b"], "error: --header: does nothing without --url"),
        (["call", "action_quiet", "--url", "http://localhost", "--strict"], "error: --strict: does nothing with --url"),
    ],
)
def test_wrong_usage_exits_2_with_a_line_that_says_what_is_wrong(folder: Path, arguments: list[str], said: str) -> None:
    """No traceback, nothing on standard output."""
    project(folder, {"actions.py": BOT, "list.yml": "- a", "empty.py": "pass"})

    ended = run(folder, arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(said)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["lsit"], "list"),
        (["chekc"], "check"),
        (["run", "--prot", "80"], "--port"),
        (["--prot=80"], "--port"),
        (["list", "--jsn"], "--json"),
        (["list", "--actions", "actoins"], "actions"),
        (["list", "--actions", "bot.actoins"], "bot.actions"),
    ],
    ids=" ".join,
)
def test_what_there_is_not_is_answered_with_what_may_be_meant(folder: Path, arguments: list[str], near: str) -> None:
    """One name, not a list of all."""
    project(folder, {"actions.py": BOT, "bot/__init__.py": "", "bot/actions.py": BOT})

    ended = run(folder, arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith(f"; did you mean {near!r}?\n")


@pytest.mark.parametrize(
    "arguments", [["--port", "eighty"], ["run", "--port", "eighty"], ["start", "--port", "eighty"]]
)
def test_run_start_and_no_verb_are_the_same(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m action_server --actions actions` runs, and so does the official image's `start --actions actions`."""
    assert command_line.main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: --port: ")


def test_help_and_version_are_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Help lists the verbs; the help of `run` has rasa-sdk's flags."""
    for arguments, said in (
        (["--help"], "serve the actions"),
        (["run", "-h"], "--ssl-ca-file"),
        (["--version"], __version__),
    ):
        with pytest.raises(SystemExit) as ended:
            command_line.main(arguments)
        assert ended.value.code == 0
        assert said in capsys.readouterr().out


def test_the_working_directory_comes_first_when_actions_are_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before a package of the same name that is installed."""
    monkeypatch.setattr(sys, "path", ["/somewhere/bin", *sys.path])

    assert command_line.main(["list", "--actions", "missing_here"]) == 2
    assert sys.path[0] == str(folder)


def test_what_a_verb_does_not_use_is_not_imported(folder: Path) -> None:
    """Help is printed, and an action called, without flows, database and tables; help without a server."""
    project(folder, {"actions.py": GREET})
    script = (
        "import sys\nfrom action_server.cli import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        "    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    seen = {}
    for arguments in (["--help"], ["call", "action_greet", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        seen[arguments[0]] = set(done.stderr.split())

    assert not {"action_server.flows", "action_server.project", "sqlalchemy", "rich"} & (seen["--help"] | seen["call"])
    assert not {"action_server.serving", "action_server.doctor"} & seen["--help"]


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["table", "json"])
def test_whoever_reads_only_the_beginning_gets_no_complaint(folder: Path, flags: list[str]) -> None:
    """As in `action-server list | head -1`."""
    project(folder, {"actions.py": GREET})

    with subprocess.Popen(
        command("list", *flags), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
        code = process.wait(PATIENCE)

    assert (code, complaint) == (0, b"")


@pytest.mark.parametrize("verb", [v.words for v in command_line.VERBS], ids=" ".join)
def test_the_help_of_a_verb_fits_80_columns(
    verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for examples, which are copied as they are."""
    monkeypatch.setenv("COLUMNS", "80")

    with pytest.raises(SystemExit):
        command_line.main([*verb, "--help"])

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("  action-server ")] == []


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback, in every verb, and while the command line itself is being loaded."""

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    class InterruptedLoading:
        find_spec = interrupt

    with monkeypatch.context() as patched:
        patched.setattr("action_server.cli.list.run", interrupt)
        assert cli.main(["list"]) == 130
    monkeypatch.delattr("action_server.cli.command_line")
    monkeypatch.delitem(sys.modules, "action_server.cli.command_line")
    monkeypatch.setattr(sys, "meta_path", [InterruptedLoading(), *sys.meta_path])
    assert cli.main(["list"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["rnu"], "there is no verb 'rnu'; did you mean 'run'?"),
        (["flows", "tset"], "there is no verb 'flows tset'; did you mean 'test'?"),
        (["flows", "drwa"], "there is no verb 'flows drwa'; there is graph and test"),
        (["idempotency", "fre"], "there is no verb 'idempotency fre'; did you mean 'free'?"),
        (["idempotency", "lits"], "there is no verb 'idempotency lits'; did you mean 'list'?"),
    ],
)
def test_a_misspelt_verb_gets_the_one_that_was_meant(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of a group as well."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(words)

    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(("verb", "lines"), [("run", 1), ("help", 2)])
def test_a_flag_that_is_not_there_is_said_where_it_is_seen(
    verb: str, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not below the forty flags there are; a short usage stands above it."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([verb, "--prot\x1b[2J\n", "5056"])

    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert len(said) <= lines
    assert r"there is no --prot\x1b[2J\n" in said[-1]
