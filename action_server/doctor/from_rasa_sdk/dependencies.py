"""What a bot asks for, in whatever file it is written: each as pip writes a requirement, with its line."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from action_server.doctor.from_rasa_sdk.files import File

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REQUIREMENTS = re.compile(r"(?:.*[-_.])?(?:requirements?|constraints)(?:[-_.].*)?\.(?:txt|in)")
_CONDA = re.compile(r"(?:.*[-_.])?environment(?:[-_.].*)?\.ya?ml|conda(?:[-_.].*)?\.ya?ml")
_PIP_INSTALL = re.compile(r"\bpip3?\W{1,6}install\b(?P<rest>[^;&|]*)")
# Flags of `pip install` whose next word is a value of theirs.
_WITH_VALUE = re.compile(
    r"-[rcefit]|--(?:requirement|constraint|editable|target|prefix|platform|(?:extra-)?index-url|find-links)"
)
_NO_SCRIPTS = (".py", ".md", ".rst", ".ipynb", ".lock", ".html", ".js")


def dependencies_in(file: File) -> Iterator[tuple[int, str]]:
    """Yield the lines and texts of what a file asks for; of what is no such file, nothing."""
    name = file.basename
    if name in _READERS:
        yield from _placed(file, _READERS[name](file))
    elif _CONDA.fullmatch(name):
        yield from _of_conda(file)
    elif _REQUIREMENTS.fullmatch(name) or re.search(r"(?:^|/)requirements/[^/]*\.(?:txt|in)$", file.name):
        for line, text in file.lines():
            yield line, re.split(r"\s#|\s--hash", text, maxsplit=1)[0].strip()
    elif not name.endswith(_NO_SCRIPTS):
        for line, text in file.lines():
            if not text.lstrip().startswith("#"):
                yield from ((line, wanted) for wanted in _of_pip_install(text))


def python_wanted(file: File) -> str:
    """Return which Pythons a pyproject.toml is for, as pip writes it; "" for one that says nothing of it."""
    if file.basename != "pyproject.toml":
        return ""
    tree = read_toml(file)
    written = table(tree, "project").get("requires-python")
    return str(written or _poetry(table(tree, "tool", "poetry", "dependencies").get("python", "")))


def pythons_named(file: File) -> Iterator[tuple[int, str]]:
    """Yield the versions of Python that a file names, with their lines."""
    name = file.basename
    if name not in {"runtime.txt", ".python-version", "Pipfile"} and not _CONDA.fullmatch(name):
        return
    for line, text in file.lines():
        found = re.search(r"^\s*(?:-\s+|python-|python_version\s*=)?(?:python=*)?[\"'\s]*(\d+\.\d+)", text)
        if found and (name in {"runtime.txt", ".python-version"} or "python" in text):
            yield line, found[1]


def read_toml(file: File) -> dict[str, Any]:
    """Return a file's tables; nothing of one that is broken, which is for other tools to say."""
    try:
        return tomllib.loads(file.text)
    except tomllib.TOMLDecodeError:
        return {}


def table(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the table at a path; an empty one where something else stands."""
    for key in path:
        found = tree.get(key)
        tree = found if isinstance(found, Mapping) else {}
    return tree


def _placed(file: File, wanted: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yield texts with the first line that has their name."""
    for text in wanted:
        name = re.split(r"[\s\[<>=!~;@]", text, maxsplit=1)[0]
        lines = (
            number for number, line in file.lines() if re.search(rf"(?i)(?<![\w-]){re.escape(name)}(?![\w-])", line)
        )
        yield next(lines, 0), text


def _of_pyproject(file: File) -> Iterator[str]:
    tree = read_toml(file)
    listed = [table(tree, "project").get("dependencies")]
    listed += [*table(tree, "project", "optional-dependencies").values(), *table(tree, "dependency-groups").values()]
    for one in listed:
        yield from (text for text in one if isinstance(text, str)) if isinstance(one, list) else ()
    poetry = table(tree, "tool", "poetry")
    groups = [table(poetry, "group", name, "dependencies") for name in table(poetry, "group")]
    for versions in (table(poetry, "dependencies"), table(poetry, "dev-dependencies"), *groups):
        yield from (f"{name}{_poetry(version)}" for name, version in versions.items() if name != "python")


def _of_pipfile(file: File) -> Iterator[str]:
    tree = read_toml(file)
    for name, version in {**table(tree, "packages"), **table(tree, "dev-packages")}.items():
        written = version.get("version", "") if isinstance(version, Mapping) else version
        yield f"{name}{'' if written == '*' else written}"


def _of_setup_cfg(file: File) -> Iterator[str]:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        read.read_string(file.text)
    except configparser.Error:
        return
    yield from (
        line.strip() for line in read.get("options", "install_requires", fallback="").splitlines() if line.strip()
    )


def _of_setup_py(file: File) -> Iterator[str]:
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires" and isinstance(node.value, ast.List):
            yield from (str(item.value) for item in node.value.elts if isinstance(item, ast.Constant))


def _of_conda(file: File) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list: `- sanic=21.12` is conda's way to write, `- sanic==21.12` pip's as well."""
    for line, text in file.lines():
        item = re.match(r"\s*-\s+[\"']?(?P<name>[\w.-]+)(?P<version>[=<>!~][^\"'#\s]*)?[\"']?\s*(?:#.*)?$", text)
        if item and item["name"] != "python":
            version = item["version"] or ""
            yield line, item["name"] + re.sub(r"^=(?=\d)([\d.]+)$", r"==\1.*", version)


def _of_pip_install(text: str) -> Iterator[str]:
    found = _PIP_INSTALL.search(text)
    if found is None:
        return
    try:
        words = shlex.split(found["rest"].replace(",", " ") if "[" in text[: found.start()] else found["rest"])
    except ValueError:
        return
    is_value = False
    for word in words:
        if not is_value and not word.startswith("-"):
            yield word
        is_value = bool(_WITH_VALUE.fullmatch(word))


def _poetry(version: object) -> str:
    """Return a version of Poetry's as pip writes it: `^1.2` leaves the next first number out, a bare one is a pin."""
    written = version.get("version", "") if isinstance(version, Mapping) else version
    text = written if isinstance(written, str) else ""
    first = re.match(r"\^(\d+)", text)
    if first:
        return f">={text[1:]},<{int(first[1]) + 1}"
    if text.startswith("~") and not text.startswith("~="):
        return f"~={text[1:]}" if "." in text else f"=={text[1:]}.*"
    if text == "*":
        return ""
    return f"=={text}" if text[:1].isdigit() else text


_READERS: Mapping[str, Callable[[File], Iterator[str]]] = {
    "pyproject.toml": _of_pyproject,
    "Pipfile": _of_pipfile,
    "setup.cfg": _of_setup_cfg,
    "setup.py": _of_setup_py,
}
