"""Rules about how the package is loaded: folders that Python passes over, objects that belong to one thread."""

from __future__ import annotations

from pathlib import Path

from action_server.flows.check import catalogue
from action_server.flows.check.subject import Subject
from action_server.project.python.facts import ModuleFacts
from action_server.source import Place

# Folders whose actions nobody means to be served.
_NOT_SERVED = ("test", "tests", "site-packages")


def check_loading(subject: Subject) -> None:
    """Check what the package loses when it is imported, and what it holds on to."""
    _check_folders(subject)
    for bound in subject.code.thread_bound:
        subject.findings.add(
            catalogue.THREAD_BOUND,
            _place_of(subject, bound.partition(" ")[0]),
            f"{bound} works only on the thread that imported it, and there are actions that are plain `def`",
            "open it where it is used, or set `sync_thread: import`",
        )


def _check_folders(subject: Subject) -> None:
    root = subject.code.path
    if root is None or root.is_file() or subject.code.failure:
        return
    registered = {action.source.rpartition(".")[0] for action in subject.code.registered}
    actions = {cls.module: cls.at for cls in reversed(subject.code.facts.actions) if "run" in cls.methods}
    said: set[Path] = set()
    for module in subject.code.facts.modules:
        folder = _folder_without_init(root, module.module.split(".")[subject.code.package.count(".") + 1 : -1])
        if folder is None or folder in said or module.module not in actions or _is_imported(subject, module):
            continue
        if subject.code.is_loaded and module.module in registered:
            continue
        said.add(folder)
        subject.findings.add(
            catalogue.FOLDER_WITHOUT_INIT,
            actions[module.module],
            f"the folder {folder.name!r} has no `__init__.py`: its actions are not found",
            f"add an empty `__init__.py` to {folder.name!r}",
        )


def _folder_without_init(root: Path, parts: list[str]) -> Path | None:
    """Return the outermost folder on the way to a module that is no package."""
    if any(part in _NOT_SERVED or part.startswith(".") for part in parts):
        return None
    folders = [root.joinpath(*parts[: number + 1]) for number in range(len(parts))]
    return next((folder for folder in folders if not (folder / "__init__.py").is_file()), None)


def _is_imported(subject: Subject, module: ModuleFacts) -> bool:
    name = module.module.rpartition(".")[2]
    return any(name in other.imported for other in subject.code.facts.modules if other is not module)


def _place_of(subject: Subject, name: str) -> Place:
    """Return where the variable or the action stands that a name (`actions.book.connection`) begins with."""
    modules = sorted(subject.code.facts.modules, key=lambda module: -len(module.module))
    for module in modules:
        if name.startswith(f"{module.module}."):
            variable = name.removeprefix(f"{module.module}.").partition(".")[0].partition("[")[0]
            return module.assigned.get(variable, Place(file=module.file, line=1))
    for action in subject.code.registered:
        if name.partition(".")[0] == action.name:
            return action.at
    return Place(file=str(subject.code.path))
