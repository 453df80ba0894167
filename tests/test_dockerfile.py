"""The Dockerfile says what the command line, the package and the guide expect; there is no Docker to build it with."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.processes import PATIENCE, environment, run, server
from tests.projects import project

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "howto" / "deploy-with-docker.md").read_text(encoding="utf-8")

Instruction = tuple[str, str]


def stages() -> dict[str, list[Instruction]]:
    """The instructions of each stage, in order; those before the first FROM are left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: dict[str, list[Instruction]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword == "FROM":
            found[value.rpartition(" AS ")[2]] = []
        if keyword and found:
            list(found.values())[-1].append((keyword, value.strip()))
    return found


def values(stage: str, keyword: str) -> list[str]:
    return [value for found, value in stages()[stage] if found == keyword]


def copied(stage: str) -> list[str]:
    """What a stage copies out of the build context."""
    lines = [shlex.split(value) for value in values(stage, "COPY") if "--from=" not in value]
    return [word for line in lines for word in line[:-1] if not word.startswith("--")]


def healthcheck() -> list[str]:
    (value,) = values("server", "HEALTHCHECK")
    command: list[str] = json.loads(value.partition("CMD ")[2])
    return command


def test_the_stages_build_on_each_other_and_the_clinic_is_the_default() -> None:
    """`docker build .` makes the last stage; `--target server` the one without the clinic's actions."""
    bases = {name: value.split()[0] for name in stages() for value in values(name, "FROM")}

    assert bases == {
        "build": "python:${PYTHON_VERSION}-slim",
        "server": "python:${PYTHON_VERSION}-slim",
        "clinic": "server",
    }
    assert "actions/" not in copied("server")


def test_everything_that_is_copied_exists_and_is_in_the_build_context() -> None:
    """A file that .dockerignore keeps out, or that was renamed, breaks the build."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    wanted = [path for stage in stages() for path in copied(stage)]

    assert wanted
    assert rules[0] == "*"
    assert [path for path in wanted if not (ROOT / path).exists()] == []
    assert [path for path in wanted if f"!{path}" not in rules] == []


@pytest.mark.parametrize(
    "path", [".env", "actions/.env", "actions/__pycache__", "actions/clinic.sqlite3", "actions/x.pyc"]
)
def test_secrets_and_data_stay_out_of_the_build_context(path: str) -> None:
    """Also where a folder is let in as a whole."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.removeprefix("**/").removesuffix("/") for line in lines if line.startswith("**/")]

    assert any(fnmatch(Path(path).name, pattern) for pattern in patterns)


def test_the_package_gets_the_files_that_its_metadata_names() -> None:
    """The build backend reads README.md and LICENSE."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = [
        *re.findall(r'^readme = "(.+)"', pyproject, re.M),
        *re.findall(r'^license-files = \["(.+)"\]', pyproject, re.M),
    ]

    assert len(named) == 2
    assert set(named) <= set(copied("build"))


def test_the_default_extra_exists() -> None:
    """pip only warns about an extra that a package does not have."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (extras,) = [value.partition("=")[2] for value in values("build", "ARG") if value.startswith("EXTRAS=")]

    assert all(re.search(rf"^{extra} = \[", pyproject, re.M) for extra in extras.split(","))


def test_the_images_hold_no_build_tools_and_do_not_run_as_root() -> None:
    """Nothing is installed after the build stage, and the user is a number other than 0 in group 0."""
    commands = [*values("server", "RUN"), *values("clinic", "RUN")]

    assert not re.search(r"apt|gcc|build-essential|pip", " ".join(commands))
    assert values("server", "USER") == ["1001:0"]
    assert values("clinic", "USER") == []


def test_the_command_of_the_image_is_understood(tmp_path: Path) -> None:
    """ENTRYPOINT and CMD get past the flags: what stops the start is the one setting that is wrong."""
    (entrypoint,), (command,) = (values("server", keyword) for keyword in ("ENTRYPOINT", "CMD"))
    assert json.loads(entrypoint) == ["python", "-m", "action_server"]

    ended = run(tmp_path, json.loads(command), ACTION_SERVER__PORT="tcp://10.0.0.1:5055")

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ACTION_SERVER__PORT")


def test_the_health_check_is_healthy_while_the_server_runs_and_only_then(tmp_path: Path) -> None:
    """It finds the port in the environment and asks its own machine, whatever proxy the environment names."""
    folder = project(tmp_path, {"actions.py": ""})
    checked = [sys.executable, *healthcheck()[1:]]

    with server(folder) as running:
        port = str(urlsplit(running.url).port)
        variables = environment(ACTION_SERVER__PORT=port, http_proxy="http://127.0.0.1:9", no_proxy="")
        healthy = subprocess.run(checked, env=variables, timeout=PATIENCE, check=False)
        running.stop()
        stopped = subprocess.run(checked, env=variables, timeout=PATIENCE, check=False, stderr=subprocess.DEVNULL)

    assert healthy.returncode == 0
    assert stopped.returncode == 1


def test_the_guide_names_only_stages_and_arguments_that_exist() -> None:
    """`--target` and `--build-arg` of the guide are the Dockerfile's."""
    targets = set(re.findall(r"--target (\w+)", GUIDE))
    arguments = set(re.findall(r"--build-arg (\w+)=", GUIDE))
    known = set(re.findall(r"^ARG (\w+)=", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M))

    assert targets
    assert targets <= stages().keys()
    assert arguments
    assert arguments <= known
