"""The actions' code: what the server would register, and what its text says."""

from __future__ import annotations

import contextlib
import importlib.machinery
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from action_server.errors import ActionServerError, LoadError, RegistrationError
from action_server.project.python.facts import PythonFacts
from action_server.project.python.reader import read_package
from action_server.runtime import loader
from action_server.runtime.registry import Registry
from action_server.source import Place, parse_place, shorten
from action_server.yaml_file import read_text


@dataclass(frozen=True)
class KnownAction:
    """An action that the server would register. ``source`` is the qualified name of its class or function."""

    name: str
    source: str
    at: Place


@dataclass(frozen=True)
class DuplicateName:
    """A name that two actions were registered under: the place that counts, and the one that does not."""

    name: str
    used: Place
    replaced: Place


@dataclass(frozen=True)
class Code:
    """The package of actions. ``path`` is None if there is none. ``failure`` says why it was not loaded, and is
    empty otherwise.

    ``thread_bound`` names objects that work only on the thread that imported it, as `place (type)`.
    ``is_loaded``: the actions are those that the server registers, not those that the text alone tells; ``registry``
    holds them then.
    ``knows_all_names`` is false if there may be actions whose names nobody has found out.
    """

    package: str
    path: Path | None
    facts: PythonFacts
    registered: tuple[KnownAction, ...] = ()
    failure: str = ""
    failed_at: Place | None = None
    is_import_failure: bool = False
    knows_all_names: bool = False
    duplicates: tuple[DuplicateName, ...] = ()
    thread_bound: tuple[str, ...] = ()
    is_loaded: bool = False
    registry: Registry | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the names of the actions."""
        return frozenset(action.name for action in self.registered)


def read_code(package: str, folders: Sequence[Path], *, load: bool = True, registry: Registry | None = None) -> Code:
    """Find a package in one of these folders or among the installed ones, read its text and, with ``load``, import it.

    With ``registry``, what somebody has loaded already is taken instead. Never raises for what is in the package.
    """
    path = _locate(package, folders)
    facts = read_package(path, package) if path is not None else PythonFacts()
    if path is None:
        return Code(package, None, facts)
    if registry is not None:
        return Code(
            package, path, facts, _actions_of(registry), knows_all_names=True, is_loaded=True, registry=registry
        )
    if not load:
        return _from_text(Code(package, path, facts))
    return _load(package, path, facts, folders)


def _locate(package: str, folders: Sequence[Path]) -> Path | None:
    parts = package.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for folder in [*folders, *(Path(entry or ".") for entry in sys.path)]:
        path = folder.joinpath(*parts)
        if (path / "__init__.py").is_file() or (path.is_dir() and any(path.glob("*.py"))):
            return path
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py")
    # To Python a folder of folders is a package as well, if there is no other of that name.
    return next((p for p in (folder.joinpath(*parts) for folder in folders) if any(p.glob("*/*.py"))), None)


def _load(package: str, path: Path, facts: PythonFacts, folders: Sequence[Path]) -> Code:
    code = Code(package, path, facts)
    with _search_first(_root_of(path, package), folders), _collect_duplicates() as duplicates:
        try:
            # What the actions' modules print when they are imported is none of the report.
            with contextlib.redirect_stdout(sys.stderr):
                loaded = loader.load(package)
        except RegistrationError as exc:
            return _after_failure(code, str(exc), parse_place(exc.place) or _place_in(str(exc)), is_import=False)
        except LoadError as exc:
            return _after_failure(code, str(exc), parse_place(exc.place) or _place_in(str(exc)), is_import=True)
        except ActionServerError as exc:
            return _after_failure(code, str(exc), _place_in(str(exc)), is_import=True)
    return Code(
        package,
        path,
        facts,
        _actions_of(loaded.registry),
        knows_all_names=True,
        duplicates=tuple(duplicates),
        thread_bound=tuple(loaded.thread_bound),
        is_loaded=True,
        registry=loaded.registry,
    )


def _actions_of(registry: Registry) -> tuple[KnownAction, ...]:
    return tuple(KnownAction(a.name, a.source, parse_place(a.place) or Place(file=a.place)) for a in registry)


def _after_failure(code: Code, failure: str, at: Place | None, *, is_import: bool) -> Code:
    return replace(
        _from_text(code),
        failure=failure,
        failed_at=at or Place(file=shorten(str(code.path))),
        is_import_failure=is_import,
    )


def _from_text(code: Code) -> Code:
    """Take the names that the text alone tells."""
    actions = code.facts.actions
    parents = {base for cls in actions for base in cls.bases}
    unnamed = [cls for cls in actions if cls.action_name is None and cls.name not in parents]
    has_hook = any("register_actions" in module.strings for module in code.facts.modules) or _defines_hook(code)
    registered = tuple(KnownAction(c.action_name, c.source, c.at) for c in actions if c.action_name is not None)
    knows_all = not unnamed and not code.facts.unread and not has_hook and not _imports_from_elsewhere(code)
    return Code(code.package, code.path, code.facts, registered, knows_all_names=knows_all)


def _defines_hook(code: Code) -> bool:
    return any("register_actions" in text for text in _texts(code))


def _imports_from_elsewhere(code: Code) -> bool:
    """Tell whether an action could come with an import of something that is neither the SDK nor the package's own."""
    imported = re.compile(
        rf"^\s*from\s+(?!rasa_sdk\b|action_server\b|\.|{re.escape(code.package)}\b)\S+\s+import\s+.*\bAction[A-Z]",
        re.MULTILINE,
    )
    return any(imported.search(text) for text in _texts(code))


def _texts(code: Code) -> Iterator[str]:
    path = code.path
    for file in [] if path is None else [path] if path.is_file() else sorted(path.rglob("*.py")):
        with contextlib.suppress(OSError):
            yield read_text(file, errors="replace")


def _root_of(path: Path, package: str) -> Path:
    return path.parents[package.count(".")].resolve()


@contextlib.contextmanager
def _search_first(root: Path, folders: Sequence[Path]) -> Iterator[None]:
    """Put the folder of the package on the path while it is imported, unless it is there already."""
    before = list(sys.path)
    known = {os.path.realpath(entry or ".") for entry in before}
    if str(root) not in known:
        sys.path.insert(0, str(root))
        importlib.machinery.PathFinder.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


class _DuplicateNames(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[DuplicateName] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "action.registered_twice":
            used, replaced = (parse_place(str(getattr(record, key, ""))) for key in ("used", "replaced"))
            if used and replaced:
                self.found.append(DuplicateName(str(getattr(record, "action", "")), used, replaced))


@contextlib.contextmanager
def _collect_duplicates() -> Iterator[list[DuplicateName]]:
    """Collect what the registry says of names that are registered twice."""
    log = logging.getLogger("action_server.runtime.registry")
    handler, level, propagates = _DuplicateNames(), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield handler.found
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagates


def _place_in(text: str) -> Place | None:
    match = re.search(r"(\S+\.py):(\d+)", text)
    return Place(file=match[1], line=int(match[2])) if match else None
