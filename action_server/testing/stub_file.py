"""Files with `stub_custom_actions:`: reading the stubs, and putting new ones in without touching what else is there.

Texts that are not plain names are written in quotes: without, they are numbers, dates or truths to one reader of YAML
or another, and engines put variables of the environment into them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.flows.e2e.cases import Stub
from action_server.flows.e2e.stubs import STUBS, read_stubs
from action_server.project.places import Problems
from action_server.project.yaml_node import Node
from action_server.project.yaml_tree import parse_tree
from action_server.testing.stubs import stub_as_json
from action_server.yaml_file import read_text

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What readers of YAML 1.1 take for something else than a text.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def find_stubs(path: Path) -> dict[Path, dict[str, Stub]]:
    """Return the stubs of a file, or of all files below a folder that have some.

    Raises:
        SettingsError: there is none, or a file cannot be read as one with stubs.
    """
    files = [path] if not path.is_dir() else sorted(p for p in path.rglob("*") if p.suffix in (".yml", ".yaml"))
    found: dict[Path, dict[str, Stub]] = {}
    for file in files:
        root = _parse(_read(file), file)
        if root.get(STUBS) is not None:
            problems = Problems()
            found[file] = read_stubs(root.get(STUBS), problems)
            _refuse(problems, file)
    if not any(found.values()):
        raise SettingsError(str(path), f"has no stubs: no file there has `{STUBS}:` with an action below")
    return found


def write_stubs(file: Path, stubs: Mapping[str, Stub]) -> None:
    """Put stubs into a file, which is made if need be; other stubs, comments and what else is there stay as they are.

    Raises:
        SettingsError: the file cannot be read or written, or is written so that nothing can be put in.
    """
    before = _read(file) if file.exists() else ""
    text = put_stubs(before, stubs, file)
    draft = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise SettingsError(str(file), f"cannot be written: {exc.strerror}") from exc


def put_stubs(text: str, stubs: Mapping[str, Stub], file: Path) -> str:
    """Return the text of a file with stubs put in.

    Raises:
        SettingsError: it is not YAML, or its stubs are written in a way that cannot be changed line by line.
    """
    root = _parse(text, file)
    block = root.get(STUBS)
    old = block.plain() if block is not None and block.is_mapping else {}
    new = {name: stub_as_json(stub) for name, stub in stubs.items()}
    lines = text.splitlines()
    if block is None:
        begin = end = _end_of(lines, 0, len(lines))
        gap = [""] if begin else []
        changed = [*gap, f"{STUBS}:", *_indented(_lines({**old, **new}), 2)]
    else:
        begin = root.keys[STUBS].line - 1
        later = [place.line - 1 for place in root.keys.values() if place.line - 1 > begin]
        end = _end_of(lines, begin + 1, min(later, default=len(lines)))
        changed = _changed_block(block, lines[begin:end], begin, new)
    written = "\n".join([*lines[:begin], *changed, *lines[end:]]) + "\n"
    if _parse(written, file).plain() != {**root.plain(), STUBS: {**old, **new}}:
        raise SettingsError(str(file), f"nothing can be put into its `{STUBS}:`; write one action a line below it")
    return written


def _changed_block(block: Node, lines: list[str], begin: int, new: Mapping[str, Any]) -> list[str]:
    starts = {name: place.line - 1 - begin for name, place in block.keys.items()}
    columns = {place.column - 1 for place in block.keys.values()}
    distinct = sorted(set(starts.values()))
    if not block.is_mapping or len(distinct) < len(starts) or len(columns) != 1 or 0 in distinct:
        # Written in one line, or with nothing in it.
        old = block.plain() if block.is_mapping else {}
        return [f"{STUBS}:", *_indented(_lines({**old, **new}), 2)]
    [column] = columns
    found = lines[: distinct[0]]
    for name, start in sorted(starts.items(), key=lambda item: item[1]):
        limit = min((other for other in distinct if other > start), default=len(lines))
        end = _end_of(lines, start + 1, limit)
        found += _indented(_lines({name: new[name]}), column) if name in new else lines[start:end]
        found += lines[end:limit]
    added = {name: stub for name, stub in new.items() if name not in starts}
    return [*found, *(_indented(_lines(added), column) if added else [])]


def _end_of(lines: list[str], start: int, limit: int) -> int:
    """Return where the lines of something end: empty ones and comments below it belong to what follows."""
    while limit > start and (not lines[limit - 1].strip() or lines[limit - 1].lstrip().startswith("#")):
        limit -= 1
    return limit


def _indented(lines: Iterator[str], columns: int) -> list[str]:
    return [f"{' ' * columns}{line}" for line in lines]


def _lines(value: Any) -> Iterator[str]:
    """Yield a value as lines of YAML."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                yield f"{_text(str(key))}:"
                yield from _indented(_lines(item), 2)
            else:
                yield f"{_text(str(key))}: {_scalar(item)}"
    elif isinstance(value, list) and value:
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from _indented(iter(rest), 2)
    else:
        yield _scalar(value)


def _text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    text = json.dumps(value)
    # 1e+16 has a point for every reader of YAML to take it for a number.
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


def _quoted(text: str) -> str:
    # JSON is YAML but for what it leaves bare: characters that YAML counts as line breaks or does not allow.
    found = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in found)


def _read(file: Path) -> str:
    try:
        return read_text(file)
    except OSError as exc:
        raise SettingsError(str(file), f"cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(str(file), f"cannot be read as UTF-8 text (at byte {exc.start})") from exc


def _parse(text: str, file: Path) -> Node:
    problems = Problems()
    root = parse_tree(text, str(file), problems)
    _refuse(problems, file)
    if root is None or not root.is_mapping:
        raise SettingsError(str(file), "is no file of end-to-end tests: it has to be a mapping, with `test_cases:`")
    return root


def _refuse(problems: Problems, file: Path) -> None:
    if problems:
        raise SettingsError(str(file), f"{problems[0].message} (line {problems[0].line})")
