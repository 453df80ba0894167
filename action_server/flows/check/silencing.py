"""Findings that nobody wants to hear: comments on the line, and `[tool.action-server.check]` of pyproject.toml.

::

    - action: action_of_a_plugin  # action-server: ignore[action-without-class]

    [tool.action-server.check]
    ignore = ["unused-action"]
    per-file-ignores = {"actions/legacy/*.py" = ["blocking-call"]}
"""

from __future__ import annotations

import io
import os
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.findings.finding import Finding, by_place
from action_server.flows.check.catalogue import RULES, UNUSED_SILENCING
from action_server.project.fields import did_you_mean
from action_server.source import Place, shorten
from action_server.yaml_file import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_COMMENT = re.compile(r"#\s*action-server:\s*ignore\b\s*(?:\[([^\]]*)\])?")
_YAML_COMMENT = re.compile(r"(?:^|\s)" + _COMMENT.pattern)
_TABLE = "tool.action-server.check"


@dataclass(frozen=True)
class IgnoredRules:
    """What pyproject.toml silences; patterns are paths as findings show them, or relative to the file's folder."""

    everywhere: frozenset[str] = frozenset()
    by_file: Mapping[str, frozenset[str]] = field(default_factory=dict)
    folder: Path = Path()

    def silences(self, finding: Finding) -> bool:
        """Tell whether a finding is not to be shown."""
        rule, file = finding.rule.id, finding.place.file
        if rule in self.everywhere:
            return True
        if not self.by_file:
            return False
        paths = {file, _relative(file, self.folder)}
        return any(
            rule in rules and any(fnmatchcase(path, pattern) for path in paths)
            for pattern, rules in self.by_file.items()
        )


@dataclass(frozen=True)
class Comment:
    """A silencing comment. ``rules`` are the ids in its brackets, as written."""

    file: str
    line: int
    column: int
    rules: tuple[str, ...]


def read_ignored(root: Path) -> IgnoredRules:
    """Read the nearest pyproject.toml, from the project's folder up to the working directory.

    Raises:
        SettingsError: it is not TOML, or its table is wrong.
    """
    for folder in _folders(root):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _from_file(path)
    return IgnoredRules()


def _folders(root: Path) -> list[Path]:
    root, here = root.resolve(), Path.cwd().resolve()
    above = [folder for folder in (root, *root.parents) if folder == here or here in folder.parents]
    return above or [root]


def _from_file(path: Path) -> IgnoredRules:
    where = shorten(str(path))
    try:
        found: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(where, f"cannot be read: {exc}") from None
    for key in _TABLE.split("."):
        found = found.get(key, {}) if isinstance(found, dict) else {}
    if not isinstance(found, dict):
        raise SettingsError(f"{where}: {_TABLE}", "is not a table")
    unknown = found.keys() - {"ignore", "per-file-ignores"}
    if unknown:
        name = sorted(unknown)[0]
        hint = did_you_mean(name, ["ignore", "per-file-ignores"])
        raise SettingsError(f"{where}: {_TABLE}.{name}", f"is no setting of it{hint}")
    by_file = found.get("per-file-ignores", {})
    if not isinstance(by_file, dict):
        raise SettingsError(f"{where}: {_TABLE}.per-file-ignores", "is not a table of patterns with rules")
    return IgnoredRules(
        _rules(found.get("ignore", []), f"{where}: {_TABLE}.ignore"),
        {name: _rules(rules, f"{where}: {_TABLE}.per-file-ignores.{name}") for name, rules in by_file.items()},
        path.parent,
    )


def _rules(value: Any, where: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(rule, str) for rule in value):
        raise SettingsError(where, "is not a list of rules")
    for rule in value:
        if rule not in RULES:
            raise SettingsError(where, f"names {rule!r}, which is no rule{did_you_mean(rule, RULES)}")
    return frozenset(value)


def _relative(file: str, folder: Path) -> str:
    try:
        # Not `resolve`: it raises for a link that leads to itself.
        return Path(os.path.realpath(file)).relative_to(os.path.realpath(folder)).as_posix()
    except (ValueError, OSError):
        return file


def comments_in(files: Iterable[str], read: Callable[[Path], str] = read_text) -> Iterator[Comment]:
    """Find the silencing comments of YAML and Python files; files that cannot be read have none.

    ``read`` returns the text of a file, or raises `OSError` or `ValueError`.
    """
    for file in files:
        try:
            text = read(Path(file))
        except (OSError, ValueError):
            continue
        if "action-server:" in text:
            yield from _comments_in_python(text, file) if file.endswith(".py") else _comments_in_yaml(text, file)


def _comments_in_python(text: str, file: str) -> Iterator[Comment]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield from _comment(_COMMENT, token.string, file, token.start[0], token.start[1])
    except (tokenize.TokenError, SyntaxError):
        return


def _comments_in_yaml(text: str, file: str) -> Iterator[Comment]:
    for number, line in enumerate(text.splitlines(), 1):
        yield from _comment(_YAML_COMMENT, line, file, number, 0)


def _comment(pattern: re.Pattern[str], text: str, file: str, line: int, column: int) -> Iterator[Comment]:
    match = pattern.search(text)
    if match:
        rules = tuple(rule.strip() for rule in (match[1] or "").split(",") if rule.strip())
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        yield Comment(file, line, column + start + 1, rules)


def silence(
    findings: Sequence[Finding], comments: Sequence[Comment], ignored: IgnoredRules, judged: frozenset[str]
) -> list[Finding]:
    """Leave out what is silenced, and add a finding for each comment that silences nothing.

    ``judged`` are the files of which an unused comment can be told: those of which all rules were applied.
    """
    by_line = {(comment.file, comment.line): comment for comment in comments}
    used: set[tuple[str, int, str]] = set()
    kept = []
    for finding in findings:
        comment = by_line.get((finding.place.file, finding.place.line))
        if comment is not None and finding.rule.id in comment.rules:
            used.add((comment.file, comment.line, finding.rule.id))
        else:
            kept.append(finding)
    for comment in comments:
        kept += [_finding(comment, *problem) for problem in _problems(comment, used, judged)]
    return by_place(finding for finding in kept if not ignored.silences(finding))


def _problems(comment: Comment, used: set[tuple[str, int, str]], judged: frozenset[str]) -> Iterator[tuple[str, str]]:
    if not comment.rules:
        yield "the comment names no rule", "write `# action-server: ignore[rule]`"
    for rule in comment.rules:
        if rule not in RULES:
            yield f"the comment names {rule!r}, which is no rule{did_you_mean(rule, RULES)}", "correct the name"
        elif (comment.file, comment.line, rule) not in used and comment.file in judged:
            yield f"there is no {rule} to ignore on this line", "remove the comment"


def _finding(comment: Comment, message: str, fix: str) -> Finding:
    return Finding(UNUSED_SILENCING, Place(comment.file, comment.line, comment.column), message, fix)
