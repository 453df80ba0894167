"""What conversations are played on: a project, its actions, and who understands the user."""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from action_server.assembly import Prepared, prepare
from action_server.config.merge import merge
from action_server.config.settings import Settings
from action_server.endpoints import Block, endpoints_of, replace_texts
from action_server.errors import SettingsError
from action_server.flows.commands.generator import CommandGenerator
from action_server.flows.player.results import Results
from action_server.flows.player.tools import Tools
from action_server.flows.player.webhook import InProcess, Webhook, in_process, over_http
from action_server.flows.session.command_generator import choose_command_generator
from action_server.project.project import Project
from action_server.project.server_addresses import own_addresses
from action_server.runtime.loader import LoadedPackage
from action_server.yaml_file import read_yaml

# In values of settings: a folder that is new for each conversation, and gone after it.
TEMPORARY = "{tmp}"
TEST_SETTINGS = Path("tests") / "action_server.yml"


@dataclass(frozen=True)
class StageOptions:
    """How to play: who understands the user (`--understand`), and which actions answer.

    ``url`` calls a server that runs, with ``headers``, verified by ``tls`` or, without, as the system does.
    ``services`` lie over the settings of the services, and over those of tests/action_server.yml, which count with
    ``as_in_tests``.
    """

    understand: Sequence[str] = ("offline",)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    services: Mapping[str, Any] = field(default_factory=dict)
    as_in_tests: bool = False


class Actions:
    """The actions of a stage: loaded for its first conversation, with instances of its own for each later one."""

    def __init__(self) -> None:
        self._loaded: LoadedPackage | None = None

    def prepare(self, settings: Settings) -> Prepared:
        """Prepare the actions for a conversation. Raises :class:`StartupError` when one cannot be made."""
        prepared = prepare(settings, loaded=self._loaded)
        self._loaded = prepared.package
        return prepared


@dataclass(frozen=True)
class Stage:
    """A project that is ready to be played.

    ``services`` lie over those of the settings; ``given`` are those of them that a flag gave.
    """

    project: Project
    settings: Settings
    understanding: Callable[[], CommandGenerator]
    services: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    mcp_servers: Block = field(default_factory=Block)
    actions: Actions = field(default_factory=Actions)

    @asynccontextmanager
    async def webhook(self, results: Results | None = None) -> AsyncIterator[Webhook]:
        """Open the actions for one conversation, or for several that may know of each other.

        With ``results`` jobs run as well, where the actions run in this process.

        Raises:
            StartupError: an action or a service cannot be made.
        """
        if self.url:
            async with over_http(self.url, headers=self.headers, tls=self.tls) as remote:
                yield remote
            return
        with tempfile.TemporaryDirectory(prefix="action-server-") as folder:
            settings = self._settings_in(folder)
            async with in_process(settings, results, self.actions.prepare(settings)) as local:
                yield local

    @asynccontextmanager
    async def tools(self, webhook: Webhook) -> AsyncIterator[Tools | None]:
        """Open the MCP servers of the project's endpoints file; None if it names none.

        Where the actions run in this process, so do the tools of the project's own server.
        """
        if not self.mcp_servers.written:
            yield None
            return
        # Here, as most projects have none.
        import aiohttp

        from action_server.flows.player.mcp_servers import McpServers, OwnServer

        own = None
        if isinstance(webhook, InProcess):
            own = OwnServer(own_addresses(self.project.webhook_url, self.settings.port), webhook.tools)
        async with aiohttp.ClientSession() as session:
            yield McpServers(self.mcp_servers, session, own)

    def _settings_in(self, folder: str) -> Settings:
        services = fill_temporary(merge(self.settings.services, self.services), folder)
        # What ran once in an earlier conversation runs again in this one. While a person thinks, the event loop stands
        # still, which is nothing the watchdog has to tell.
        changes = {"database": f"{folder}/once.sqlite3", "metrics": False, "watchdog": 0.0}
        return self.settings.with_services(services, self.given).model_copy(update=changes)


@asynccontextmanager
async def open_stage(
    project: Project, settings: Settings, environment: Mapping[str, str], options: StageOptions
) -> AsyncIterator[Stage]:
    """Prepare a project for conversations.

    Raises:
        SettingsError: an option, or a file it names, is wrong.
    """
    root = Path(project.root)
    services = read_test_services(root) if options.as_in_tests else {}
    add_import_path(settings.actions, root)
    async with AsyncExitStack() as stack:
        yield Stage(
            project=project,
            settings=settings,
            understanding=await choose_command_generator(options.understand, project, environment, stack),
            services=merge(services, options.services),
            given=options.services,
            url=options.url,
            headers=options.headers,
            tls=options.tls,
            mcp_servers=endpoints_of(project.endpoints, project.endpoints_file, environment).mcp_servers,
        )


def read_test_services(root: Path) -> dict[str, Any]:
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


def fill_temporary(value: Any, folder: str) -> Any:
    """Return a tree of settings with the folder in place of each ``{tmp}``."""
    return replace_texts(value, lambda text, _: text.replace(TEMPORARY, folder))


def add_import_path(package: str, root: Path) -> None:
    """Let Python find the project's own package of actions, if the working directory has none of the name."""
    top = package.partition(".")[0]
    places = [Path(), root]
    has = [place for place in places if (place / top).is_dir() or (place / f"{top}.py").is_file()]
    folder = str(root.resolve())
    if has == [root] and folder not in sys.path:
        sys.path.insert(1, folder)
