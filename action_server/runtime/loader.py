"""From a package's name to a registry of its actions."""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import TypeGuard

from rasa_sdk import Action, FormValidationAction

from action_server.errors import LoadError, RegistrationError
from action_server.nearest import did_you_mean
from action_server.runtime.middleware import Middleware, find_middlewares
from action_server.runtime.no_loop import no_running_loop
from action_server.runtime.registry import Registry
from action_server.runtime.services import Lifespan
from action_server.runtime.thread_bound import find_thread_bound
from action_server.source import one_line, place_of, place_of_failure, shorten

logger = logging.getLogger(__name__)

# Base classes of the engine, of the SDK and of ours are no actions of the author's.
_NOT_THE_AUTHORS = ("rasa.", "rasa_core.", "rasa_core_sdk.", "rasa_sdk.", "action_server.")


@dataclass(frozen=True)
class LoadedPackage:
    """A package of actions: its registry, its ``lifespan`` if it defines one, and its middlewares, outermost first.

    ``thread_bound`` names what works only on the thread that loaded it.
    """

    registry: Registry
    lifespan: Lifespan | None
    middlewares: Sequence[Middleware] = ()
    thread_bound: Sequence[str] = ()


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


def _load(package: str, strict: bool) -> LoadedPackage:
    before = set(sys.modules)
    module = _import(package)
    for name in _submodules(module):
        _import(name)
    registry = Registry(strict=strict)
    modules = _modules_of(package, before)
    for cls in _concrete_actions(modules):
        registry.register_action(cls)
    register: Callable[[Registry], None] | None = getattr(module, "register_actions", None)
    if register is not None:
        _run_hook(register, registry)
    values = (value for name in _own_modules(package) for value in vars(sys.modules[name]).values())
    bound = find_thread_bound(modules, registry)
    return LoadedPackage(registry, getattr(module, "lifespan", None), find_middlewares(values), bound)


# What each package brought with it when it was first imported in this process: the second time it brings nothing.
_modules_brought_by: dict[str, set[str]] = {}


def _modules_of(package: str, before: set[str]) -> set[str]:
    """Return the names of the modules whose actions are the package's: its own, and those that came with it."""
    brought = _modules_brought_by.setdefault(package, set())
    brought |= set(sys.modules) - before
    own = _own_modules(package)
    # `from library import ActionShared`, where somebody else had imported the library before.
    named = {v.__module__ for name in own for v in vars(sys.modules[name]).values() if _is_class_or_typed_function(v)}
    return own | brought | named


def _is_class_or_typed_function(value: object) -> TypeGuard[type | FunctionType]:
    return isinstance(value, type) or (isinstance(value, FunctionType) and hasattr(value, "action_class"))


def _own_modules(package: str) -> set[str]:
    return {name for name in sys.modules if name == package or name.startswith(f"{package}.")}


def _concrete_actions(modules: set[str]) -> list[type[Action]]:
    """Return the authors' action classes of these modules, in rasa-sdk's order: of one name the last wins."""
    found: dict[type[Action], None] = {}
    for cls in _subclasses(Action):
        if cls.__module__ not in modules or cls.__module__.startswith(_NOT_THE_AUTHORS):
            continue
        if not inspect.isabstract(cls) and not _is_a_base_class(cls):
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
            problem = f"there is no such module; looked in {shorten(sys.path[0] or '.')} and the installed packages"
            problem += did_you_mean(name, _names_beside(name))
        raise LoadError(name, place_of_failure(exc) or name, problem) from exc


def _names_beside(name: str) -> list[str]:
    """Return the modules and packages there are where one of this name was looked for, in dots."""
    above = name.rpartition(".")[0]
    parent = sys.modules.get(above)
    places = list(getattr(parent, "__path__", ())) if above else [sys.path[0] or "."]
    return [f"{above}.{found.name}".lstrip(".") for found in pkgutil.iter_modules(places)]


def _run_hook(register: Callable[[Registry], None], registry: Registry) -> None:
    try:
        register(registry)
    except RegistrationError:
        raise
    except Exception as exc:
        raise RegistrationError("register_actions", place_of(register), f"raised {one_line(exc)}") from exc
