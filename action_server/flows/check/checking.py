"""Checks a project: reads it, applies all rules, leaves out what is silenced.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from action_server.config.environment import process_environment
from action_server.config.settings import Settings
from action_server.endpoints import endpoints_of
from action_server.errors import RegistrationError, SettingsError
from action_server.findings.finding import Finding, Findings
from action_server.flows.check import catalogue
from action_server.flows.check.action_rules import check_actions, check_loaded
from action_server.flows.check.code import Code, read_code
from action_server.flows.check.code_rules import check_code
from action_server.flows.check.endless_flows import check_endless_flows
from action_server.flows.check.entity_rules import check_entities
from action_server.flows.check.flow_rules import check_flows
from action_server.flows.check.known_tools import KnownTools, own_tools, read_tools
from action_server.flows.check.loading_rules import check_loading
from action_server.flows.check.mantle_rules import check_mantle
from action_server.flows.check.reading import check_reading
from action_server.flows.check.refused_agents import check_refused_agents
from action_server.flows.check.refused_components import check_refused_components
from action_server.flows.check.refused_config import check_refused_config
from action_server.flows.check.refused_domain import check_refused_domain
from action_server.flows.check.refused_endpoints import check_refused_endpoints
from action_server.flows.check.refused_flows import check_refused_flows
from action_server.flows.check.refused_models import check_refused_models
from action_server.flows.check.refused_training_data import check_refused_training_data
from action_server.flows.check.response_rules import check_responses, check_slots
from action_server.flows.check.silencing import comments_in, read_ignored, silence
from action_server.flows.check.stories import check_forms, check_stories
from action_server.flows.check.subject import Subject
from action_server.project.domain import Domain, Form
from action_server.project.location import holds_project, project_folder
from action_server.project.mantle import INTEGRATIONS, MantleProject, is_mantle, read_mantle
from action_server.project.project import Project
from action_server.project.project_reader import read_project
from action_server.project.server_addresses import own_addresses
from action_server.project.sources import Sources, read_sources
from action_server.project.tree_cache import TreeCache
from action_server.project.yaml_tree import Trees
from action_server.runtime.registry import Registry
from action_server.source import Place, parse_place, shorten

_TOPICS: Sequence[Callable[[Subject], None]] = (
    check_reading,
    check_flows,
    check_endless_flows,
    check_refused_flows,
    check_refused_domain,
    check_refused_config,
    check_refused_components,
    check_refused_models,
    check_refused_endpoints,
    check_refused_agents,
    check_refused_training_data,
    check_responses,
    check_slots,
    check_stories,
    check_forms,
    check_entities,
    check_actions,
    check_code,
    check_loading,
)
# Those that hold for actions whatever engine calls them.
_TOPICS_OF_CODE: Sequence[Callable[[Subject], None]] = (check_actions, check_code, check_loading)


@dataclass(frozen=True)
class Request:
    """What to check. ``domain``, ``data`` and ``endpoints`` are for projects that keep these elsewhere.

    ``load`` imports the actions, as the server does; ``registry`` is for those that have done so. ``settings`` are the
    server's, which say what it offers as tools; ``tools`` are files with the tools of other servers, ``[NAME=]FILE``.
    ``cache`` knows files that earlier runs have read.
    """

    root: Path
    actions: str = "actions"
    domain: Path | None = None
    data: Path | None = None
    endpoints: Path | None = None
    load: bool = True
    registry: Registry | None = None
    settings: Settings | None = None
    tools: tuple[str, ...] = ()
    cache: TreeCache | None = None


@dataclass(frozen=True)
class Report:
    """What was found, in the order of files and lines, and what was looked at.

    ``mantle`` is the project if it is one of Mantle; ``project`` has neither domain nor flows then.
    """

    findings: tuple[Finding, ...]
    project: Project
    sources: Sources
    code: Code
    mantle: MantleProject | None = None

    @property
    def errors(self) -> int:
        """Return how many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def checked(self) -> str:
        """Return what was looked at, in words."""
        actions = _count(len(self.code.registered), "action")
        if self.mantle is not None:
            servers = _count(len(self.mantle.servers), "MCP server")
            return f"{_count(len(self.mantle.skills), 'skill')}, {servers}, {actions}"
        # Without those that every assistant has.
        slots = sum(not slot.is_default for slot in self.project.domain.slots.values())
        return f"{_count(len(self.project.flows), 'flow')}, {_count(slots, 'slot')}, {actions}"

    @property
    def warnings(self) -> int:
        """Return how many findings are warnings."""
        return len(self.findings) - self.errors


def check(request: Request) -> Report:
    """Check a project.

    Raises:
        SettingsError: there is no such folder, the table in pyproject.toml is wrong, or a file of tools is.
    """
    root = project_folder(request.root)
    for name in ("domain", "data", "endpoints"):
        path: Path | None = getattr(request, name)
        if path is not None and not path.exists():
            raise SettingsError(f"--{name}", f"there is no {path}")
    ignored = read_ignored(root)
    trees = Trees(cache=request.cache)
    code = read_code(request.actions, [root, Path.cwd()], load=request.load, registry=request.registry)
    findings = Findings()
    mantle = read_mantle(root, trees) if is_mantle(root) else None
    project, sources = _read_rest(mantle) if mantle is not None else _read(request, root, trees)
    old = next((form for form in project.domain.forms.values() if form.has_mappings), None)
    tools = _find_tools(request, project, code, findings)
    subject = Subject(project, sources, code, findings, root, tools)
    for check_topic in _TOPICS_OF_CODE if mantle is not None else (_TOPICS if old is None else (check_loaded,)):
        check_topic(subject)
    if mantle is not None:
        check_mantle(subject, mantle)
    if old is not None:
        _report_rasa_2(findings, old)
    files = [*sources.trees, *_python_files(code)]
    comments = list(comments_in(files, trees.text))
    judged = frozenset(files if _judges_code(subject) else sources.trees if subject.is_whole else ())
    return Report(tuple(silence(findings.sorted(), comments, ignored, judged)), project, sources, code, mantle)


def _read(request: Request, root: Path, trees: Trees) -> tuple[Project, Sources]:
    project = read_project(root, domain=request.domain, data=request.data, endpoints=request.endpoints, trees=trees)
    return project, read_sources(project, root, request.domain, request.data, Path.cwd(), trees)


def _read_rest(mantle: MantleProject) -> tuple[Project, Sources]:
    """Return a Mantle project as the rules about actions take it: it has no domain and no flows."""
    found = mantle.integrations
    endpoints = found.plain() if found is not None and found.is_mapping else {}
    file = found.place.file if found is not None else INTEGRATIONS
    project = Project(
        root=str(mantle.root), domain=Domain(), flows={}, patterns={}, endpoints=endpoints, endpoints_file=file
    )
    return project, Sources(dict(mantle.trees), tuple(mantle.problems))


def _find_tools(request: Request, project: Project, code: Code, findings: Findings) -> KnownTools:
    """Return the tools that the steps may call: those of the project's own server, of files and of `--tools`."""
    servers = endpoints_of(project.endpoints, project.endpoints_file, process_environment()).mcp_servers
    others = read_tools(request.tools, servers)
    settings = request.settings
    if settings is None:
        return KnownTools(others=others)
    addresses = own_addresses(project.webhook_url, settings.port)
    own = None
    try:
        own = own_tools(settings, code.registry) if code.registry is not None else None
    except RegistrationError as exc:
        at = parse_place(exc.place) or Place(file=exc.place)
        _report_refused(findings, at, str(exc).removeprefix(f"{exc.place}: "))
    except SettingsError as exc:
        _report_refused(findings, Place(str(settings.endpoints), key=f"action_server.{exc.where}"), exc.problem)
    return KnownTools(own, addresses, others)


def _report_rasa_2(findings: Findings, form: Form) -> None:
    findings.add(
        catalogue.FORMS_WITH_MAPPINGS,
        form.at,
        f"the project is one of Rasa 2: the form {form.name!r} maps its slots itself",
        "draft flows of its forms with `check --migration`, or give the mappings to the slots (`rasa data migrate`)",
    )


def _report_refused(findings: Findings, at: Place, problem: str) -> None:
    fix = "correct it; `action-server tools` shows what is offered"
    findings.add(catalogue.REFUSED_TOOL, at, f"tools cannot be offered: {problem}", fix)


def check_text(root: Path, actions: str, endpoints: Path | None = None) -> list[Finding]:
    """Check a project without importing its actions, for processes that must not.

    Returns no findings if there is no project in the folder. Raises `SettingsError` as `check` does.
    """
    if not holds_project(root):
        return []
    return list(check(Request(root, actions, endpoints=endpoints, load=False)).findings)


def _judges_code(subject: Subject) -> bool:
    return subject.is_whole and not subject.code.failure and not subject.sources.has_projects_beside


def _python_files(code: Code) -> list[str]:
    if code.path is None:
        return []
    files = [code.path] if code.path.is_file() else sorted(code.path.rglob("*.py"))
    return [shorten(str(file)) for file in files]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
