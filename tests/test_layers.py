"""Imports point down: every module of the platform has a tier, and imports only from the tiers below it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLATFORM = "action_server"
MOST_FILES_OF_A_FOLDER = 33
FOUNDATION = "the lowest tier"

# The one list of tiers: rooms, which are packages or modules at the top. A room imports from rooms of lower tiers only,
# and inside of a room there is no cycle. The lowest tier is one room of loose modules, `__main__` is one of `cli`, and
# the package itself (its public names) is a module like any other.
TIERS: list[set[str]] = [
    {"errors", "source", "regular_file", "yaml_file", "deadlines", "nearest", "extras", "database_urls"},
    {"protocol", "security", "database", "endpoints", "findings", "project"},
    {"idempotency", "telemetry"},
    {"runtime"},
    {"jobs"},
    {"config", "tools", "delivery", "__init__"},
    {"assembly", "webhook_client"},
    {"serving", "flows", "doctor"},
    {"testing"},
    {"inspector"},
    {"cli"},
]

# The order inside of `actions/`: rooms by name, each with what is in it (the longest name that fits counts). A room
# imports from rooms of lower tiers only, so scheduling and CRM know nothing of each other.
CLINIC = "actions"
CLINIC_TIERS: list[dict[str, set[str]]] = [
    {"words": {"errors", "wallclock", "zone_data", "tables", "scheduling.models", "crm.models"}},
    {
        "ports": {"scheduling.port", "scheduling.remote", "crm.port"},
        "database": {"database", "migrations", "indexes"},
        "transport": {"transport"},
        "dates": {"dates", "moments"},
    },
    {"scheduling": {"scheduling"}, "crm": {"crm"}},
    {"use case": {"booking", "choice", "coming_days", "nearest"}},
    {"actions": {"appointments", "changes", "summary", "validation", "slots", "responses", "blocking"}},
    {"composition root": {"settings", "services", "__init__"}},
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


def room_of(module: str, tiers: list[set[str]]) -> str:
    """Return the room a module is in: its top package, or the first tier's one room of loose modules."""
    top = module.partition(".")[0].replace("__main__", "cli")
    return FOUNDATION if top in tiers[0] else top


def platform_violations(sources: Mapping[str, str], tiers: list[set[str]]) -> list[str]:
    """Check the platform's modules against a table of tiers; say each violation in a line."""
    tier = {room_of(name, tiers): number for number, rooms in enumerate(tiers) for name in rooms}
    return _violations(sources, PLATFORM, tier, lambda module: room_of(module, tiers))


def clinic_violations(sources: Mapping[str, str], tiers: list[dict[str, set[str]]]) -> list[str]:
    """Check the modules of `actions/` against a table of its tiers; say each violation in a line."""
    rooms = {name: room for tier in tiers for room, names in tier.items() for name in names}

    def room_of_clinic(module: str) -> str:
        parts = module.split(".")
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((rooms[name] for name in names if name in rooms), module)

    return _violations(sources, CLINIC, {room: n for n, tier in enumerate(tiers) for room in tier}, room_of_clinic)


def _violations(
    sources: Mapping[str, str], package: str, tier: Mapping[str, int], room_of: Callable[[str], str]
) -> list[str]:
    modules = {module.removeprefix(f"{package}."): source for module, source in sources.items()}
    found = [f"{name}: has no tier" for name in sorted(modules) if room_of(name) not in tier]
    within: dict[str, set[str]] = {name: set() for name in modules}
    for name, source in modules.items():
        room = room_of(name)
        for target, line in _own_targets(source, package, name, set(modules)):
            other = room_of(target)
            if target == CLINIC:
                found.append(f"{name}:{line}: imports actions")
            elif other == room:
                within[name].add(target)
            elif tier.get(other, -1) >= tier.get(room, len(tier)):
                found.append(f"{name}:{line}: imports {target}, which is not below it")
    found += [f"{' -> '.join(cycle)}: a cycle" for cycle in cycles(within)]
    return found + [f"{' -> '.join(cycle)}: a cycle of packages" for cycle in cycles(_folders(within))]


def _folders(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return which packages inside of a room import which others of it."""
    found: dict[str, set[str]] = {}
    for name, targets in imports.items():
        folder = name.rpartition(".")[0]
        found.setdefault(folder, set()).update(t.rpartition(".")[0] for t in targets)
        found[folder].discard(folder)
    return found


def cycles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Find modules that import each other around, each cycle once, from its first name on."""
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            ring = path[path.index(name) :]
            first = ring.index(min(ring))
            found.add((*ring[first:], *ring[:first], ring[first]))
        elif name not in done:
            for target in sorted(imports.get(name, ())):
                visit(target, [*path, name])
            done.add(name)

    for name in sorted(imports):
        visit(name, [])
    return [list(ring) for ring in sorted(found)]


def _own_targets(source: str, package: str, module: str, names: set[str]) -> Iterator[tuple[str, int]]:
    """Find which modules of its own package, or of the platform the word `actions`, a module imports."""
    for found in imports_of(source, f"{package}.{module}"):
        top, _, rest = found.module.partition(".")
        if top == CLINIC != package:
            yield CLINIC, found.line
        elif top == package:
            # `from package import name`: the name is a module of the package, or one of its public names.
            inside = [rest, *([found.name] if found.name else [])]
            dotted = ".".join(part for part in inside if part)
            candidates = (dotted, f"{dotted}.__init__", rest, f"{rest}.__init__".lstrip("."), "__init__")
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


def test_the_clinic_imports_downwards() -> None:
    """Words, ports, backends, the use case, actions, the composition root: none knows what stands above it."""
    assert clinic_violations(modules_under(ROOT / CLINIC), CLINIC_TIERS) == []


def test_actions_use_public_names_only() -> None:
    """What `action_server.__all__` lists is all that an action may know of the platform."""
    public = public_names((ROOT / PLATFORM / "__init__.py").read_text(encoding="utf-8"))
    assert public

    assert action_violations(modules_under(ROOT / "actions"), public) == []


def test_no_module_is_in_two_tiers() -> None:
    """The table is unambiguous."""
    names = [name for tier in TIERS for name in tier]

    assert len(names) == len(set(names))


# The checker itself, on a platform of four modules: `low` below `high` and `beside`, and the package on top.
PLANTED_TIERS = [{"low"}, {"high", "beside"}, {"__init__"}]
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
    ("an import beside", {"high": "from action_server import beside"}, "high:1: imports beside, which is not below it"),
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
    ("itself", {"high": "from action_server.high import x"}, "high -> high: a cycle"),
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


ROOMS: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "imports inside of a room",
        {"flows.__init__": "", "flows.model": "from ..low import z", "flows.a": "from . import model"},
        [],
    ),
    (
        "an upward one",
        {"flows.model": "from ..top.x import y", "top.x": ""},
        ["flows.model:1: imports top.x, which is not below it"],
    ),
    (
        "a cycle",
        {"flows.a": "from .b import x", "flows.b": "from .c import x", "flows.c": "def f():\n    from .a import x"},
        ["flows.a -> flows.b -> flows.c -> flows.a: a cycle"],
    ),
    (
        "a cycle of packages without one of modules",
        {"flows.p.a": "from ..q.b import x", "flows.q.b": "", "flows.q.c": "from ..p.d import x", "flows.p.d": ""},
        ["flows.p -> flows.q -> flows.p: a cycle of packages"],
    ),
]


@pytest.mark.parametrize(("changes", "violations"), [r[1:] for r in ROOMS], ids=[r[0] for r in ROOMS])
def test_the_checker_knows_rooms(changes: dict[str, str], violations: list[str]) -> None:
    """A folder's modules have names with dots, relative imports climb, and a room may import itself without a cycle."""
    tiers = [*PLANTED_TIERS[:2], {"flows"}, {"top"}, {"__init__"}]

    assert platform_violations(planted(changes), tiers) == violations


CLINIC_PLANTED: list[tuple[str, dict[str, str], list[str]]] = [
    ("imports downwards", {"crm.hub": "from actions.crm.port import x", "booking": "from actions import errors"}, []),
    (
        "a backend of the other kind",
        {"crm.hub": "from actions.scheduling.book import x"},
        ["crm.hub:1: imports scheduling.book, which is not below it"],
    ),
    (
        "a port that knows its backend",
        {"crm.port": "from actions.crm.hub import x"},
        ["crm.port:1: imports crm.hub, which is not below it"],
    ),
    ("an action in a use case", {"booking": "from .act import x"}, ["booking:1: imports act, which is not below it"]),
    ("a module without a tier", {"news": ""}, ["news: has no tier"]),
]


@pytest.mark.parametrize(("changes", "violations"), [r[1:] for r in CLINIC_PLANTED], ids=[r[0] for r in CLINIC_PLANTED])
def test_the_checker_knows_the_rooms_of_the_clinic(changes: dict[str, str], violations: list[str]) -> None:
    """A room is named by what is in it, and a longer name takes a module out of its folder's room."""
    tiers = [{"words": {"errors"}}, {"ports": {"crm.port"}}, {"crm": {"crm"}, "scheduling": {"scheduling"}}]
    tiers += [{"use case": {"booking"}}, {"actions": {"act"}}]
    clean = dict.fromkeys(["errors", "crm.port", "crm.hub", "scheduling.book", "booking", "act"], "")
    sources = {f"{CLINIC}.{name}": source for name, source in {**clean, **changes}.items()}

    assert clinic_violations(sources, tiers) == violations


def test_no_folder_is_a_crowd() -> None:
    """At most 33 Python files lie side by side."""
    folders = Counter(
        p.parent for name in ("action_server", "actions", "tests", "benchmarks") for p in (ROOT / name).rglob("*.py")
    )

    assert {str(folder.relative_to(ROOT)): n for folder, n in folders.items() if n > MOST_FILES_OF_A_FOLDER} == {}


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
