"""Imports point down: every module of the platform has a tier, and imports only from the tiers below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLATFORM = "action_server"

# The one list of tiers. A module imports from lower tiers only, not from its own. The package itself (its public names)
# is a module like any other.
TIERS: list[set[str]] = [
    {
        "errors",
        "event_schema",
        "jsonable",
        "places",
        "threads",
        "deadlines",
        "limits",
        "metrics_files",
        "domain_files",
        "memory",
    },
    {
        "wire",
        "compression",
        "placeholders",
        "yaml_file",
        "registry",
        "slots",
        "services",
        "admission",
        "metrics",
        "secret",
        "web_token",
        "tls",
        "protocol",
    },
    {"privacy", "tracing", "lazy"},
    {"answers", "validation", "auth", "domains", "tracker", "health", "logs", "idempotency", "database"},
    {"middleware", "options", "observation", "watchdog", "once", "outbound", "flags"},
    {"loader", "settings", "executor", "__init__"},
    {"app", "rpc"},
    {"fast"},
    {"worker"},
    {"supervisor"},
    {"server"},
    {"client"},
    # Playing, testing and checking flows.
    {"flows.__init__", "flows.commands.__init__", "flows.commands.port", "flows.commands.words", "flows.conditions"},
    {"flows.places", "flows.commands.scripted", "flows.commands.values", "flows.commands.model_groups"},
    {"flows.model", "flows.trace", "flows.tree", "flows.commands.answer", "flows.commands.offline"},
    {"flows.domain", "flows.fields", "flows.stack", "flows.graph", "flows.commands.prompt"},
    {"flows.buttons", "flows.responses", "flows.state", "flows.step_reader", "flows.values", "flows.commands.llm"},
    {"flows.flow_reader", "flows.payload", "flows.response_reader", "flows.slot_reader"},
    {"flows.domain_reader"},
    {"flows.project"},
    {"flows.dialogue", "flows.webhook"},
    {"flows.corrections", "flows.default_actions", "flows.view"},
    {"flows.actions", "flows.intake"},
    {"flows.endings"},
    {"flows.policy"},
    {"flows.player"},
    {"flows.script", "flows.failures", "flows.loop", "flows.e2e.__init__", "flows.e2e.checks"},
    {"flows.show", "flows.turn_json", "flows.stage", "flows.e2e.cases", "flows.e2e.assertions"},
    {"flows.chat", "flows.e2e.reader", "flows.e2e.runner"},
    {"flows.e2e.paths", "flows.e2e.coverage"},
    {"flows.e2e.report"},
    {"flows.e2e.junit"},
    {"flows.e2e.verb"},
    {"flows.drawing"},
    {
        "flows.check.__init__",
        "flows.check.catalogue",
        "flows.check.imports",
        "flows.check.known",
        "flows.check.python_facts",
        "flows.check.sources",
        "flows.migration.__init__",
        "flows.migration.conversations",
    },
    {"flows.check.coroutines", "flows.check.findings", "flows.check.uses"},
    {"flows.check.output", "flows.check.python_reader", "flows.check.silencing"},
    {"flows.check.code"},
    {"flows.check.subject", "flows.migration.code"},
    {"flows.check.conditions", "flows.check.reading", "flows.check.stories"},
    {"flows.check.action_rules", "flows.check.flow_rules", "flows.migration.candidates"},
    {"flows.check.response_rules", "flows.migration.drafts"},
    {"flows.check.code_rules"},
    {"flows.check.checking"},
    {"flows.migration.plan"},
    {"flows.check.command"},
    {"doctor"},
    {"terminal", "flow_verbs"},
    {"cli"},
    {"__main__"},
]


@dataclass(frozen=True)
class Import:
    """One import of a module: the module, the name taken from it (None for the module itself), and the line."""

    module: str
    name: str | None
    line: int


def imports_of(source: str, module: str) -> Iterator[Import]:
    """Find every import in a module's text: in functions, under conditions, relative ones and by string as well."""
    # A package is known by its file here, as `package.__init__`: relative imports start at what stands before the dot.
    package = module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(origin, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            text = node.args[0]
            if called in ("import_module", "__import__") and isinstance(text, ast.Constant):
                yield Import(str(text.value), None, node.lineno)


def modules_under(folder: Path) -> dict[str, str]:
    """The text of every module of a package, by its dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found


def tier_of(tiers: list[set[str]]) -> dict[str, int]:
    return {name: number for number, names in enumerate(tiers) for name in names}


def platform_violations(sources: Mapping[str, str], tiers: list[set[str]]) -> list[str]:
    """Check the platform's modules against a table of tiers; say each violation in a line."""
    tier = tier_of(tiers)
    names = {module.removeprefix(f"{PLATFORM}.") for module in sources}
    found = [f"{name}: has no tier" for name in sorted(names - set(tier))]
    found += [f"{name}: has a tier and is no module" for name in sorted(set(tier) - names)]
    for module, source in sources.items():
        name = module.removeprefix(f"{PLATFORM}.")
        for target, line in _own_targets(source, module, names):
            if target == "actions":
                found.append(f"{name}:{line}: imports actions")
            elif name in tier and target in tier and tier[target] >= tier[name]:
                found.append(f"{name}:{line}: imports {target}, which is not below it")
    return found


def _own_targets(source: str, module: str, names: set[str]) -> Iterator[tuple[str, int]]:
    """Find which modules of the platform, or the word `actions`, a module imports."""
    for found in imports_of(source, module):
        top, _, rest = found.module.partition(".")
        if top == "actions":
            yield "actions", found.line
        elif top == PLATFORM:
            # `from package import name`: the name is a module of the package, or one of its public names.
            inside = [rest, *([found.name] if found.name else [])]
            dotted = ".".join(part for part in inside if part)
            candidates = (dotted, rest, f"{rest}.__init__".lstrip("."), "__init__")
            yield next(c for c in candidates if c in names or c == "__init__"), found.line


def public_names(source: str) -> set[str]:
    """Read a package's `__all__` without importing it."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def action_violations(sources: Mapping[str, str], public: set[str]) -> list[str]:
    """Check that modules of actions take only public names from the platform."""
    found = []
    for module, source in sources.items():
        for taken in imports_of(source, module):
            if taken.module.partition(".")[0] != PLATFORM:
                continue
            if taken.module != PLATFORM:
                found.append(f"{module}:{taken.line}: imports {taken.module}")
            elif taken.name is not None and taken.name not in public:
                found.append(f"{module}:{taken.line}: imports {taken.name}, which is not public")
        found += [
            f"{module}:{node.lineno}: uses {node.attr}, which is not public"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == PLATFORM
            and node.attr not in public
        ]
    return found


def test_the_platform_imports_downwards() -> None:
    """No module imports from its own tier or above, every file has a tier, and nothing knows the clinic's actions."""
    assert platform_violations(modules_under(ROOT / PLATFORM), TIERS) == []


def test_actions_use_public_names_only() -> None:
    """What `action_server.__all__` lists is all that an action may know of the platform."""
    public = public_names((ROOT / PLATFORM / "__init__.py").read_text(encoding="utf-8"))
    assert public

    assert action_violations(modules_under(ROOT / "actions"), public) == []


def test_no_module_is_in_two_tiers() -> None:
    """The table is unambiguous."""
    names = [name for tier in TIERS for name in tier]

    assert len(names) == len(set(names))


# The checker itself, on a platform of four modules: `low` and `beside` below `high`, and the package on top.
PLANTED_TIERS = [{"low", "beside"}, {"high"}, {"__init__"}]
CLEAN = {
    "low": "import json",
    "beside": "",
    "high": "from action_server.low import x",
    "__init__": "from . import high\nfrom action_server.low import x",
}

PLANTED: list[tuple[str, dict[str, str], str]] = [
    ("an upward import", {"low": "from action_server.high import x"}, "low:1: imports high, which is not below it"),
    ("an import of the package", {"low": "import action_server.high"}, "low:1: imports high, which is not below it"),
    ("a module taken by name", {"low": "from action_server import high"}, "low:1: imports high, which is not below it"),
    ("an import beside", {"low": "from action_server import beside"}, "low:1: imports beside, which is not below it"),
    ("a relative import", {"low": "from .high import x"}, "low:1: imports high, which is not below it"),
    ("a relative module", {"low": "from . import high"}, "low:1: imports high, which is not below it"),
    (
        "an import in a function",
        {"low": "def f():\n    from action_server.high import x\n"},
        "low:2: imports high, which is not below it",
    ),
    (
        "an import for types only",
        {"low": "if TYPE_CHECKING:\n    from action_server.high import X\n"},
        "low:2: imports high, which is not below it",
    ),
    (
        "an import by string",
        {"low": "x = importlib.import_module('action_server.high')"},
        "low:1: imports high, which is not below it",
    ),
    ("one of several", {"low": "import os, action_server.high"}, "low:1: imports high, which is not below it"),
    ("a public name", {"high": "from action_server import Name"}, "high:1: imports __init__, which is not below it"),
    ("the package itself", {"high": "import action_server"}, "high:1: imports __init__, which is not below it"),
    ("itself", {"high": "from action_server.high import x"}, "high:1: imports high, which is not below it"),
    ("actions", {"low": "import actions"}, "low:1: imports actions"),
    ("a module of actions", {"low": "def f():\n    from actions.crm import x"}, "low:2: imports actions"),
    ("a file without a tier", {"new": ""}, "new: has no tier"),
    ("a file in a folder without a tier", {"flows.model": ""}, "flows.model: has no tier"),
]


def planted(changes: Mapping[str, str]) -> dict[str, str]:
    return {f"{PLATFORM}.{name}": source for name, source in {**CLEAN, **changes}.items()}


def test_the_checker_finds_nothing_in_a_clean_platform() -> None:
    """Downward imports and those of other packages are fine."""
    assert platform_violations(planted({}), PLANTED_TIERS) == []


@pytest.mark.parametrize(("changes", "violation"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_the_checker_finds(changes: dict[str, str], violation: str) -> None:
    """Each planted violation is found, with its line, and nothing else."""
    assert platform_violations(planted(changes), PLANTED_TIERS) == [violation]


def test_the_checker_finds_a_tier_without_a_file() -> None:
    """The table does not outlive a module."""
    tiers = [*PLANTED_TIERS, {"gone"}]

    assert platform_violations(planted({}), tiers) == ["gone: has a tier and is no module"]


def test_the_checker_knows_packages_within_the_package() -> None:
    """A folder's modules have names with dots, and relative imports climb."""
    changes = {"flows.__init__": "from ..high import x", "flows.model": "from . import y\nfrom ..low import z"}
    tiers = [*PLANTED_TIERS[:2], {"flows.model"}, {"flows.__init__"}, {"__init__"}]

    assert platform_violations(planted(changes), tiers) == [
        "flows.model:1: imports flows.__init__, which is not below it"
    ]


REACHING: list[tuple[str, str, list[str]]] = [
    ("a public name", "from action_server import Registry, services", []),
    ("the package", "import action_server\naction_server.Registry()", []),
    ("rasa_sdk", "from rasa_sdk import Action\nfrom . import errors\nfrom .errors import wire", []),
    ("a namesake", "import action_server_tools", []),
    ("a private module", "from action_server.wire import Call", ["actions.x:1: imports action_server.wire"]),
    ("a module by name", "from action_server import wire", ["actions.x:1: imports wire, which is not public"]),
    ("a module", "import action_server.wire", ["actions.x:1: imports action_server.wire"]),
    ("everything", "from action_server import *", ["actions.x:1: imports *, which is not public"]),
    ("lazily", "def f():\n    from action_server.app import x", ["actions.x:2: imports action_server.app"]),
    ("by string", "import_module('action_server.app')", ["actions.x:1: imports action_server.app"]),
    (
        "through the package",
        "import action_server\nx = action_server.wire.Call",
        ["actions.x:2: uses wire, which is not public"],
    ),
]


@pytest.mark.parametrize(("source", "violations"), [r[1:] for r in REACHING], ids=[r[0] for r in REACHING])
def test_the_checker_tells_public_from_private(source: str, violations: list[str]) -> None:
    """However an action reaches into the platform, only public names pass."""
    assert action_violations({"actions.x": source}, {"Registry", "services"}) == violations


def test_public_names_are_read_from_the_text() -> None:
    """Without importing the package, whose imports are what is checked."""
    assert public_names('from a import b\n__all__ = ["b", "c"]\n') == {"b", "c"}
    assert public_names("from a import b\n") == set()
