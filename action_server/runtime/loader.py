"""From a package's name to a registry of its actions."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TypeGuard

from rasa_sdk import Action, FormValidationAction

from action_server.errors import LoadError, RegistrationError
from action_server.nearest import did_you_mean
from action_server.runtime.middleware import Middleware, find_middlewares
from action_server.runtime.no_loop import no_running_loop
from action_server.runtime.registry import CodeFacts, Registry
from action_server.runtime.services import Lifespan
from action_server.runtime.thread_bound import find_thread_bound
from action_server.source import one_line, place_of, place_of_failure, shorten

logger = logging.getLogger(__name__)

# Base classes of the engine, of the SDK and of ours are no actions of the author's.
NO_ACTIONS = "no subclass of rasa_sdk.Action with a name, and no register_actions(registry)"
_NOT_THE_AUTHORS = ("rasa.", "rasa_core.", "rasa_core_sdk.", "rasa_sdk.", "action_server.")


@dataclass(frozen=True)
class LoadedPackage:
    """A package of actions: its registry, its ``lifespan`` if it defines one, and its middlewares, outermost first.

    ``thread_bound`` names what works only on the thread that loaded it; ``make_registry`` makes one more registry, with
    new instances of the same classes.
    """

    registry: Registry
    lifespan: Lifespan | None
    middlewares: Sequence[Middleware] = ()
    thread_bound: Sequence[str] = ()
    make_registry: Callable[[], Registry] = Registry


def load(package: str, *, strict: bool = False) -> LoadedPackage:
    """Import a package or module with everything below it and register every concrete ``Action`` subclass.

    As with rasa-sdk, classes of other packages that were imported on the way count too. The package may define
    ``register_actions(registry)`` for functions and instances, and ``lifespan`` for services (howto/services.md).
    None of it sees a running event loop, also where one runs.

    Raises:
        LoadError: something in it does not import.
        RegistrationError: something in it cannot be an action, or with ``strict`` two share a name.
    """
    with no_running_loop():
        return _load(package, strict)


def renew(package: LoadedPackage) -> LoadedPackage:
    """Return a package with actions that remember nothing, for another conversation.

    Nothing is imported or searched again, which took most of a short conversation's time: what a module has keeps.

    Raises:
        RegistrationError: an action cannot be made a second time.
    """
    with no_running_loop():
        return replace(package, registry=package.make_registry())


def _load(package: str, strict: bool) -> LoadedPackage:
    before = set(sys.modules)
    module = _import(package)
    for name in _submodules(module):
        _import(name)
    own = _own_modules(package)
    modules = _modules_of(package, own, before)
    hook = getattr(module, "register_actions", None)
    make = partial(_make_registry, _concrete_actions(modules), hook, strict, CodeFacts())
    registry = make()
    values = (value for name in own for value in vars(sys.modules[name]).values())
    bound = find_thread_bound(modules, registry)
    return LoadedPackage(registry, getattr(module, "lifespan", None), find_middlewares(values), bound, make)


def _make_registry(
    classes: Sequence[type[Action]], register: Callable[[Registry], None] | None, strict: bool, facts: CodeFacts
) -> Registry:
    registry = Registry(strict=strict, facts=facts)
    for cls in classes:
        registry.register_action(cls)
    if register is not None:
        _run_hook(register, registry)
    return registry


# What each package brought with it when it was first imported in this process: the second time it brings nothing.
_modules_brought_by: dict[str, set[str]] = {}
# The folder of the project that was opened last, if one was: others put theirs before it in the path.
_looked_in: list[str] = []


def _modules_of(package: str, own: set[str], before: set[str]) -> set[str]:
    """Return the names of the modules whose actions are the package's: its own, and those that came with it."""
    brought = _modules_brought_by.setdefault(package, set())
    brought |= set(sys.modules) - before
    # `from library import ActionShared`, where somebody else had imported the library before.
    named = {v.__module__ for name in own for v in vars(sys.modules[name]).values() if _is_class_or_typed_function(v)}
    return own | brought | named


def prefer(folder: Path, package: str) -> None:
    """Let ``package`` be imported from ``folder``, also after one of its name was imported from another folder.

    Two assistants that are tested by one process both have an ``actions``. Nothing is done if it is not in the folder.
    """
    _looked_in[:] = [str(folder)]
    root = package.partition(".")[0]
    is_here = (folder / root).is_dir() or (folder / f"{root}.py").is_file()
    if str(folder) in sys.path and is_here:
        sys.path.remove(str(folder))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    other = _folder_of(sys.modules.get(root))
    if other is None or not is_here or other == folder.resolve():
        return
    importlib.invalidate_caches()
    brought = _modules_brought_by.pop(package, set())
    for name in [*brought, *_own_modules(root)]:
        # With it goes what it brought from its own folder: helper modules have the same names, too.
        if _folder_of(sys.modules.get(name), name) == other:
            del sys.modules[name]


def _folder_of(module: ModuleType | None, name: str = "") -> Path | None:
    """Return the folder from which a module's topmost package was imported; None if that cannot be told."""
    places = list(getattr(module, "__path__", ())) or [getattr(module, "__file__", None)]
    if module is None or not isinstance(places[0], str):
        return None
    above = Path(places[0]).resolve().parents
    return above[name.count(".")] if name.count(".") < len(above) else None


def _is_class_or_typed_function(value: object) -> TypeGuard[type | FunctionType]:
    # By its type alone: to ask a lazy object what it is would make it, and a proxy may be bound to nothing.
    kind = type(value)
    return issubclass(kind, type) or (kind is FunctionType and hasattr(value, "action_class"))


def _own_modules(package: str) -> set[str]:
    below = f"{package}."
    return {name for name in sys.modules if name == package or name.startswith(below)}


def _is_of_another_module(cls: type) -> bool:
    """Tell whether a class is left of a module that was imported before under the same name."""
    ours = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else None
    theirs = (value.__globals__ for value in vars(cls).values() if isinstance(value, FunctionType))
    return any(found is not ours and found.get("__name__") == cls.__module__ for found in theirs)


def _concrete_actions(modules: set[str]) -> list[type[Action]]:
    """Return the authors' action classes of these modules, in rasa-sdk's order: of one name the last wins."""
    found: dict[type[Action], None] = {}
    for cls in _subclasses(Action):
        if cls.__module__ not in modules or cls.__module__.startswith(_NOT_THE_AUTHORS):
            continue
        if not inspect.isabstract(cls) and not _is_a_base_class(cls) and not _is_of_another_module(cls):
            found.pop(cls, None)
            found[cls] = None
    return list(found)


def _subclasses(cls: type[Action]) -> Iterator[type[Action]]:
    yield from cls.__subclasses__()
    for subclass in cls.__subclasses__():
        yield from _subclasses(subclass)


def _is_a_base_class(cls: type[Action]) -> bool:
    """Tell whether it is only there to be derived from: nobody gave it a name, and there are subclasses of it."""
    return cls.name in (Action.name, FormValidationAction.name) and bool(cls.__subclasses__())


def _submodules(package: ModuleType) -> Iterator[str]:
    # iter_modules, not walk_packages: that one imports a sub-package by its leaf name, which may be another package.
    for _, name, is_package in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        if name.endswith(".__main__"):
            # A script, not a part of the package: importing it would run it.
            continue
        yield name
        if is_package:
            yield from _submodules(_import(name))


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except RegistrationError:
        # A function that cannot be an action says so where it stands.
        raise
    except (Exception, SystemExit) as exc:
        logger.debug("module.not_imported", extra={"module_name": name}, exc_info=True)
        problem = one_line(exc)
        if isinstance(exc, ModuleNotFoundError) and exc.name in (name, name.partition(".")[0]):
            folder = _folder_looked_in()
            problem = f"there is no such module; looked in {shorten(folder)} and the installed packages"
            problem += _hint_at_src(name, folder) or did_you_mean(name, _names_beside(name))
        elif isinstance(exc, ModuleNotFoundError) and exc.name and "." not in exc.name:
            problem += f"; is it installed in {shorten(sys.prefix)}?"
        raise LoadError(name, place_of_failure(exc) or name, problem) from exc


def _folder_looked_in() -> str:
    """Return the folder of which an author would say that it is looked in, whatever others put before it."""
    return next((folder for folder in _looked_in if folder in sys.path), sys.path[0] or ".")


def _hint_at_src(name: str, folder: str) -> str:
    root = name.partition(".")[0]
    if not any((Path(folder) / "src" / found).exists() for found in (root, f"{root}.py")):
        return ""
    return "; it is in src: install the project in its environment, or set PYTHONPATH=src (of pytest: pythonpath = src)"


def _names_beside(name: str) -> list[str]:
    """Return the modules and packages there are where one of this name was looked for, in dots."""
    above = name.rpartition(".")[0]
    parent = sys.modules.get(above)
    places = list(getattr(parent, "__path__", ())) if above else [_folder_looked_in()]
    return [f"{above}.{found.name}".lstrip(".") for found in pkgutil.iter_modules(places)]


def _run_hook(register: Callable[[Registry], None], registry: Registry) -> None:
    try:
        register(registry)
    except RegistrationError:
        raise
    except Exception as exc:
        raise RegistrationError("register_actions", place_of(register), f"raised {one_line(exc)}") from exc
