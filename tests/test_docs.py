"""The documentation says what is there, and what it shows is what comes out."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sanic import Sanic

import action_server
from action_server import errors
from action_server.assembly import Assembly
from action_server.config.flags import flag_of
from action_server.config.settings import Settings
from action_server.config.sources import ENVIRONMENT_PREFIX
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.serving.http.app import create_app
from action_server.telemetry.metrics import Metrics
from tests.processes import ServerProcess, command, environment, run, server
from tests.projects import project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md")) + [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]


def settings_table() -> str:
    """The reference of all settings, made from their model."""
    lines = ["| setting | flag | environment | default | what it is |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        flag = flag_of(field)
        flags = ", ".join(f"`{f}`" for f in flag.names) if flag else ""
        variables = [f"{ENVIRONMENT_PREFIX}{name.upper()}", *([flag.variable] if flag and flag.variable else [])]
        environ = ", ".join(f"`{v}`" for v in variables)
        default = "" if field.default in (None, (), {}) else f"`{field.default}`"
        lines.append(f"| `{name}` | {flags} | {environ} | {default} | {field.description} |")
    return "\n".join(lines)


def test_the_reference_has_every_setting() -> None:
    """The table is made from the model; paste the one shown here when it differs."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert settings_table() in page, f"docs/reference/settings.md needs this table:\n{settings_table()}"


def test_the_reference_has_every_error() -> None:
    """Each class that is raised, wherever it is defined."""
    page = (ROOT / "docs" / "reference" / "webhook.md").read_text(encoding="utf-8")
    bases = (errors.ActionServerError, errors.CallError, errors.StartupError, errors.CommandLineError)
    raised = [c for c in _with_subclasses(errors.ActionServerError) if c not in bases]

    assert {errors.SettingsError, errors.StillRunningError, errors.UnreachableError, errors.DatabaseError} <= set(
        raised
    )
    assert [c.__name__ for c in raised if f"`{c.__name__}`" not in page] == []


def _with_subclasses(cls: type[Exception]) -> list[type[Exception]]:
    below = [found for sub in cls.__subclasses__() for found in _with_subclasses(sub)]
    return [cls, *below] if cls.__module__.startswith("action_server.") else below


def test_the_reference_has_every_endpoint() -> None:
    """Method and path of each route."""
    page = (ROOT / "docs" / "reference" / "webhook.md").read_text(encoding="utf-8")
    assembly = Assembly(Settings(), Executor(Registry()), Readiness(), Metrics(enabled=False))
    app = create_app(assembly, name="test_docs", only_one=False)
    routes = [f"{method} /{route.path}" for route in app.router.routes for method in route.methods]
    Sanic.unregister_app(app)

    assert len(routes) == 11
    assert [route for route in routes if f"`{route}`" not in page] == []


def test_all_public_names_can_be_imported() -> None:
    """`__all__` is what is there, without repetition."""
    names = action_server.__all__

    assert [name for name in names if not hasattr(action_server, name)] == []
    assert len(set(names)) == len(names)


def test_the_version_is_the_packages() -> None:
    """pyproject.toml, `__version__` and the newest heading of the changelog agree."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f'version = "{action_server.__version__}"' in pyproject
    assert f"## [{action_server.__version__}]" in changelog


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that exists."""
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    files = [t for t in targets if not t.startswith(("http:", "https:"))]

    assert [f for f in files if not (page.parent / f).exists()] == []


def test_the_readme_is_short_and_shows_an_action_and_its_output_early() -> None:
    """Under 150 lines, with a picture first and real output by line 40."""
    lines = README.splitlines()

    assert len(lines) < 150
    assert any(line.startswith("![") for line in lines[:10])
    assert any("bot:" in line for line in lines[:40])


def test_every_claim_of_the_readme_names_a_test_that_exists() -> None:
    """The table of docs/proofs.md: file and function."""
    page = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    proofs = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/.]+)\)", page)

    assert len(proofs) >= 20
    assert "docs/proofs.md" in README
    assert [n for n, f in proofs if f"def {n}(" not in (ROOT / f).read_text(encoding="utf-8")] == []


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_code_of_the_how_tos_that_begins_with_its_imports_has_them_all(tmp_path: Path) -> None:
    """Somebody pastes it into a module of their own. A class of an action has its name, unless all is left out."""
    for page in sorted((ROOT / "docs" / "howto").glob("*.md")):
        for number, block in enumerate(blocks("python", page.read_text(encoding="utf-8"))):
            if block.startswith(("from ", "import ")):
                (tmp_path / f"{page.stem}_{number}.py").write_text(block, encoding="utf-8")
    rules = ["--isolated", "--no-cache", "--select", "F821,E9", "--output-format", "concise"]
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, "."], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    files = sorted(tmp_path.glob("*.py"))

    assert ended.stdout.splitlines() == ["All checks passed!"]
    assert len(files) > 12
    assert [file.name for file in files if _NAMELESS.search(file.read_text(encoding="utf-8"))] == []


# A class of an action whose first member is its `run`.
_NAMELESS = re.compile(r"^class \w+\(Action\):\n(    \.\.\.\n\n)?    (async )?def run\b", re.MULTILINE)
# What depends on the day, the time it took and chance.
_MASKS = (
    (r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{1,2} [A-Z][a-z]+ \d{4}", "<day>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?", "<moment>"),
    (r"APT-[A-Z0-9]+", "<reference>"),
    (r"[\d.]+ ms", "<time>"),
)


def masked(text: str) -> str:
    for pattern, name in _MASKS:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_first_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    """The action of the README, called by the command of the README."""
    project(tmp_path, {"actions.py": blocks("python")[0]})
    shown = next(b for b in blocks("console") if "action_hello" in b)
    typed, _, output = shown.removeprefix("$ ").partition("\n")
    assert shlex.split(typed)[0] == "action-server"

    ended = run(tmp_path, shlex.split(typed)[1:])

    assert ended.returncode == 0
    assert masked(ended.stdout) == masked(output)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server `make run` starts, with a database of its own."""
    database = str(tmp_path_factory.mktemp("clinic") / "clinic.sqlite3")
    with server(ROOT, variables={"ACTION_SERVER__SERVICES__CLINIC__DATABASE": database}) as running:
        yield running


def test_the_curl_of_the_readme_prints_what_the_readme_says(clinic: ServerProcess) -> None:
    """A real booking, over HTTP."""
    shown = next(b for b in blocks("console") if "curl" in b)
    typed, output = shown.removeprefix("$ ").split("\n{", 1)
    there = typed.replace("\\\n", " ").replace("http://127.0.0.1:5055", clinic.url)

    ended = subprocess.run(shlex.split(there), capture_output=True, text=True, check=True)

    assert json.loads(masked(ended.stdout)) == json.loads(masked("{" + output))


def test_the_commands_of_the_quickstart_work(clinic: ServerProcess, tmp_path: Path) -> None:
    """The booking, and the newcomer's own action."""
    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    project(tmp_path, {"actions.py": blocks("python", text)[0]})
    typed = [b.removeprefix("$ ").strip() for b in blocks("console", text) if "call" in b]
    outputs = []
    for line in typed:
        _, *arguments = shlex.split(line.replace("http://127.0.0.1:5055", clinic.url))
        ended = subprocess.run(
            command(*arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
        )
        outputs.append(ended.stdout)

    assert "appointment has been booked" in outputs[0]
    assert "That makes 3." in outputs[1]


def test_importing_the_package_has_no_side_effects() -> None:
    """Reading it again changes nothing outside of it: no logging, no event loop, no patched rasa-sdk."""
    script = (
        "import logging, rasa_sdk; before = rasa_sdk.ValidationAction._extract_slot, list(logging.root.handlers); "
        "import action_server; assert before == (rasa_sdk.ValidationAction._extract_slot, logging.root.handlers)"
    )

    subprocess.run([command()[0], "-c", script], check=True)
    assert importlib.import_module("action_server") is action_server
