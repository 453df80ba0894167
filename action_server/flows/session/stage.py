"""What conversations are played on: a project, its actions, and who understands the user."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from action_server.config import settings as server_settings
from action_server.config.merge import merge
from action_server.config.settings import Settings
from action_server.endpoints import endpoints_of, replace_texts
from action_server.errors import SettingsError
from action_server.flows.commands.llm import LlmUnderstanding
from action_server.flows.commands.model_groups import model_settings
from action_server.flows.commands.offline import OfflineUnderstanding
from action_server.flows.commands.port import Understanding
from action_server.flows.commands.scripted import Scripted
from action_server.flows.player.webhook import Webhook, in_process, over_http
from action_server.flows.session.script import read_script
from action_server.project.project import Project, read_project
from action_server.yaml_file import read_yaml

# In values of settings: a folder that is new for each conversation, and gone after it.
TEMPORARY = "{tmp}"
TEST_SETTINGS = Path("tests") / "action_server.yml"
_HOW = ("offline", "llm", "scripted")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what to play and against which actions."""
    parser.add_argument(
        "--project", metavar="DIR", type=Path, help="the Rasa project (default: assistant/ if there is one, or .)"
    )
    parser.add_argument("--domain", metavar="PATH", type=Path, help="its domain, if it is not where Rasa expects it")
    parser.add_argument("--data", metavar="PATH", type=Path, help="its flows, if they are not in data/")
    parser.add_argument(
        "--understand",
        metavar=("HOW", "FILE"),
        nargs="+",
        action=_Understand,
        default=["offline"],
        help="who understands the user: offline (rules, the default), llm (the model of config.yml and endpoints.yml), "
        "or scripted FILE",
    )
    parser.add_argument("--url", metavar="URL", help="call a running server's webhook instead of the code in place")
    parser.add_argument(
        "--header", metavar="NAME:VALUE", action="append", default=[], help="with --url: send this header as well"
    )
    parser.add_argument(
        "--set",
        metavar="services.NAME=VALUE",
        dest="sets",
        action="append",
        default=[],
        help=f"set a setting of the actions' services; {TEMPORARY} in it is a new folder for each conversation",
    )
    parser.set_defaults(behind=[])
    for name in ("actions", "endpoints", "strict"):
        server_settings.add_flag(parser, name)


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


def flags_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the flags to read the server's settings by: without --endpoints, the project's own file counts."""
    flags = dict(vars(args))
    if flags.get("endpoints") is None and not Path(server_settings.DEFAULT_ENDPOINTS).exists():
        own = project_folder(args.project) / server_settings.DEFAULT_ENDPOINTS
        flags["endpoints"] = own if own.exists() else None
    return flags


def project_folder(given: Path | None) -> Path:
    """Return the project's folder."""
    return given or (Path("assistant") if Path("assistant").is_dir() else Path())


def open_project(args: argparse.Namespace) -> Project:
    """Read the project; what cannot be read of it is said on standard error.

    Raises:
        SettingsError: the folder does not exist, or no flow in it can be read.
    """
    folder = project_folder(args.project)
    if not folder.is_dir():
        raise SettingsError("--project", f"there is no folder {folder}")
    project = read_project(folder, domain=args.domain, data=args.data, endpoints=args.endpoints)
    for problem in project.problems:
        print(f"{problem.severity}: {problem}", file=sys.stderr)  # noqa: T201
    if not project.flows:
        raise SettingsError("--project", f"{folder} has no flows that can be read")
    return project


@dataclass(frozen=True)
class Stage:
    """A project that is ready to be played. ``services`` lie over those of the settings."""

    project: Project
    settings: Settings
    understanding: Callable[[], Understanding]
    services: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def webhook(self) -> AsyncIterator[Webhook]:
        """Open the actions for one conversation, or for several that may know of each other.

        Raises:
            StartupError: an action or a service cannot be made.
        """
        if self.url:
            async with over_http(self.url, headers=self.headers) as remote:
                yield remote
            return
        with tempfile.TemporaryDirectory(prefix="action-server-") as folder:
            async with in_process(self._settings_in(folder)) as local:
                yield local

    def _settings_in(self, folder: str) -> Settings:
        services = merge(self.settings.services, self.services)
        services = replace_texts(services, lambda text, _: text.replace(TEMPORARY, folder))
        # What ran once in an earlier conversation runs again in this one. While a person thinks, the event loop stands
        # still, which is nothing the watchdog has to tell.
        changes = {"services": services, "database": f"{folder}/once.sqlite3", "metrics": False, "watchdog": 0.0}
        return self.settings.model_copy(update=changes)


@asynccontextmanager
async def open_stage(
    args: argparse.Namespace,
    project: Project,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    as_in_tests: bool,
) -> AsyncIterator[Stage]:
    """Prepare a project by the flags. ``as_in_tests``: with the settings of tests/action_server.yml.

    Raises:
        SettingsError: a flag or a file it names is wrong.
    """
    root = Path(project.root)
    services = test_services(root) if as_in_tests else {}
    for pair in args.sets:
        services = merge(services, _setting(pair))
    _find_actions(settings.actions, root)
    async with AsyncExitStack() as stack:
        yield Stage(
            project=project,
            settings=settings,
            understanding=await _understanding(args.understand, project, environment, stack),
            services=services,
            url=args.url or "",
            headers=dict(_header(pair) for pair in args.header),
        )


def test_services(root: Path) -> dict[str, Any]:
    """Return the services' settings that hold in tests: those of tests/action_server.yml, if there is one.

    Raises:
        SettingsError: it is not `action_server: services: ...`.
    """
    path = root / TEST_SETTINGS
    if not path.is_file():
        return {}
    content = read_yaml(path, str(path))
    block = content.get("action_server") if isinstance(content, dict) and set(content) == {"action_server"} else None
    services = block.get("services") if isinstance(block, dict) and set(block) == {"services"} else None
    if not isinstance(services, dict):
        raise SettingsError(str(path), "must hold `action_server:` with `services:` below it, and nothing else")
    return services


def _setting(pair: str) -> dict[str, Any]:
    name, equals, text = pair.partition("=")
    keys = name.split(".")
    if not equals or keys[0] != "services" or len(keys) < 2 or not all(keys):
        # The value may be a credential.
        raise SettingsError("--set", "is not services.NAME=VALUE, such as services.clinic.database=test.sqlite3")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    for key in reversed(keys[1:]):
        value = {key: value}
    found: dict[str, Any] = value
    return found


def _header(pair: str) -> tuple[str, str]:
    name, colon, value = pair.partition(":")
    if not colon or not name.strip() or not pair.isprintable():
        raise SettingsError("--header", "is not NAME:VALUE")
    return name.strip(), value.strip()


def _find_actions(package: str, root: Path) -> None:
    """Let Python find the project's own package of actions, if the working directory has none of the name."""
    top = package.partition(".")[0]
    places = [Path(), root]
    has = [place for place in places if (place / top).is_dir() or (place / f"{top}.py").is_file()]
    folder = str(root.resolve())
    if has == [root] and folder not in sys.path:
        sys.path.insert(1, folder)


async def _understanding(
    how: Sequence[str], project: Project, environment: Mapping[str, str], stack: AsyncExitStack
) -> Callable[[], Understanding]:
    name, *files = how
    if name not in _HOW or len(files) != (name == "scripted"):
        raise SettingsError("--understand", f"{' '.join(how)!r} is none of offline, llm and scripted FILE")
    if name == "scripted":
        script = read_script(Path(files[0]))
        return lambda: Scripted(script.turns, script.by_message)
    if name == "offline":
        return OfflineUnderstanding
    where = project.endpoints_file or server_settings.DEFAULT_ENDPOINTS
    blocks = endpoints_of(project.endpoints, where, environment)
    model = model_settings(blocks.model_groups, _group(project.config))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return lambda: LlmUnderstanding(model, session)


def _group(config: Mapping[str, Any]) -> str | None:
    """Return the model group that the command generator of a config.yml names."""
    pipeline = config.get("pipeline")
    for component in pipeline if isinstance(pipeline, list) else ():
        llm = component.get("llm") if isinstance(component, Mapping) else None
        if isinstance(llm, Mapping) and "CommandGenerator" in str(component.get("name")) and llm.get("model_group"):
            return str(llm["model_group"])
    return None
