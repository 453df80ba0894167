"""Whether what the settings name by its module is there. Nothing is imported: files of the project are read.

Engines import such names while they check or train a project (rasa-pro 3.21.0, read).
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from action_server.yaml_file import read_text

# What an engine has in any case, wherever it is installed.
_ENGINE = ("rasa", "rasa_sdk")


@dataclass(frozen=True)
class NameProblem:
    """Why a name cannot be imported.

    ``may_be_elsewhere``: its package is neither in the project nor installed here, and may be where the engine runs.
    """

    text: str
    may_be_elsewhere: bool = False


def problem_of_name(root: Path, name: str, *, is_class: bool = False) -> NameProblem | None:
    """Say why a dotted name cannot be imported from a project's folder; None if it can, or if that cannot be told.

    ``is_class`` asks for a class. Packages that are installed are believed to have what is named.
    """
    module, _, attribute = name.rpartition(".")
    if not module:
        return NameProblem("it has no module in front of it")
    parts = module.split(".")
    if parts[0] in _ENGINE:
        return None
    if not all(part.isidentifier() for part in (*parts, attribute)):
        return NameProblem("it is no name that Python can import")
    base = next((b for b in (root, Path.cwd()) if _file_of(b, parts[:1]) is not None), None)
    if base is None:
        missing = f"neither the project nor this environment has a module {parts[0]!r}"
        return None if _is_installed(parts[0]) else NameProblem(missing, may_be_elsewhere=True)
    file = _file_of(base, parts)
    if file is None:
        return NameProblem(f"the project has no module {module!r}")
    problem = _problem_in(file, module, attribute, is_class=is_class)
    return NameProblem(problem) if problem else None


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:
        # Of what runs now, such as `__main__`.
        return False


def _file_of(base: Path, parts: list[str]) -> Path | None:
    """Return the file of a module, or the folder of a package that has none."""
    path = base.joinpath(*parts)
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    found = next((file for file in files if file.is_file()), None)
    # Any folder can be imported from; one with nothing of Python in it is meant as something else.
    holds_code = path.is_dir() and (any(path.glob("*.py")) or any(path.glob("*/*.py")))
    return found or (path if holds_code else None)


def _problem_in(file: Path, module: str, attribute: str, *, is_class: bool) -> str:
    if file.is_dir():
        return f"the package {module!r} has no {attribute!r}"
    try:
        tree = ast.parse(read_text(file))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return f"the module {module!r} cannot be read"
    bound = list(_bound(tree.body))
    names = {name for name, _ in bound}
    if attribute not in names and not names & {"*", "__getattr__"} and not (file.with_name(attribute)).is_dir():
        return f"the module {module!r} has no {attribute!r}"
    kinds = [node for name, node in bound if name == attribute]
    last = kinds[-1] if kinds else None
    if is_class and isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return f"{attribute!r} of {module!r} is no class"
    if isinstance(last, ast.Assign) and isinstance(last.value, (ast.Constant, ast.Dict, ast.List)):
        return f"{attribute!r} of {module!r} cannot be called"
    return ""


def _bound(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what the statements of a module bind, those below `if`, `try` and `with` as well."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((n.id, node) for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
        else:
            inner = [getattr(node, key, []) for key in ("body", "orelse", "finalbody")]
            handlers = [handler.body for handler in getattr(node, "handlers", [])]
            for statements in (*inner, *handlers):
                yield from _bound(statements)
