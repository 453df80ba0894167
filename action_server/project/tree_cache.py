"""What a project's YAML files held when they were read last, in a folder beside the project: parsing is what costs.

An entry counts for one text, read by this version with this parser, and carries a digest of all of that and of itself:
whatever is half-written, of another version or for another text is not there. It is data, never code. Files with
settings have no entry, since they hold credentials, and where the folder cannot be written nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import ruamel.yaml

from action_server.project.places import Problems
from action_server.project.yaml_files import SETTINGS_FILES
from action_server.project.yaml_node import Node
from action_server.source import Place

FOLDER = ".action_server_cache"
_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# Made by action-server; it may be deleted.\n",
}
# Raised when what an entry holds becomes another.
_FORMAT = 1
_READ_BY = f"{_FORMAT} {ruamel.yaml.__version__} {sys.version_info[:2]}"
_DIGEST_BYTES = 32
_SUFFIX, _UNFINISHED = ".tree", ".tmp"
_DAY = 24 * 3600
# Seconds: what no run has asked for in that time is of a file that is gone.
_KEPT_UNUSED = 30 * _DAY


class TreeCache:
    """The trees of the files of a project in ``root``, as this ``version`` of the program reads them."""

    def __init__(self, root: Path, version: str) -> None:
        self._made_by = f"{_READ_BY} {version}".encode()
        self._home = root / FOLDER
        self._folder = self._home / "trees"
        self._is_writable: bool | None = None

    def find(self, name: str, text: str, file: str, problems: Problems) -> Node | None:
        """Return the tree of a file with this text, and note its problems; None if it is not known.

        ``name`` is the file's real path, ``file`` its name in places.
        """
        path = self._path(name)
        try:
            content = path.read_bytes()
            digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
            if digest != self._digest(text, payload):
                return None
            tree, found = msgspec.msgpack.decode(payload)
            node = _node_of(tree, file)
            noted = Problems()
            for line, column, message, severity in found:
                noted.at(Place(file, line, column), message, severity)
            if time.time() - path.stat().st_mtime > _DAY:
                os.utime(path)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, msgspec.MsgspecError):
            return None
        problems += noted
        return node

    def keep(self, name: str, text: str, tree: Node, problems: Problems) -> None:
        """Remember a tree that was made of a text, if it can be remembered."""
        if os.path.basename(name) in SETTINGS_FILES:
            return
        noted = [(problem.line, problem.column, problem.message, problem.severity) for problem in problems]
        try:
            payload = msgspec.msgpack.encode((_plain_of(tree), noted))
            content = self._digest(text, payload) + payload
        except (ValueError, TypeError, OverflowError, RecursionError):
            # A half of a surrogate pair, an integer without end.
            return
        if self._is_writable is None:
            self._is_writable = self._prepare()
        if self._is_writable:
            with contextlib.suppress(OSError):
                _write(self._path(name), content)

    def _digest(self, text: str, payload: bytes) -> bytes:
        digest = hashlib.sha256()
        for part in (self._made_by, text.encode(), payload):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def _path(self, name: str) -> Path:
        return self._folder / (hashlib.sha256(os.fsencode(name)).hexdigest()[:40] + _SUFFIX)

    def _prepare(self) -> bool:
        """Make the folder, and remove what nobody has asked for lately. Returns whether it can be written to."""
        try:
            # Where a link leads, files of others may lie.
            if self._home.is_symlink() or self._folder.is_symlink():
                return False
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, content in _MARKS.items():
                if not (self._home / name).exists():
                    _write(self._home / name, content.encode())
            oldest = time.time() - _KEPT_UNUSED
            for entry in os.scandir(self._folder):
                if entry.name.endswith((_SUFFIX, _UNFINISHED)) and entry.stat().st_mtime < oldest:
                    os.unlink(entry.path)
        except OSError:
            return False
        return True


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole as soon as it has its name."""
    handle, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise


def _plain_of(node: Node) -> tuple[Any, ...]:
    """Return a node without objects: line, column, and a scalar, a list or a map; a scalar's text where it differs."""
    line, column = node.place.line, node.place.column
    if node.is_mapping:
        return line, column, {key: (*_at(node, key), _plain_of(child)) for key, child in node.items()}
    if node.is_list:
        return line, column, [_plain_of(child) for child in node.elements()]
    if type(node.value) is str and node.value == node.raw:
        return line, column, node.value
    if type(node.value) not in (str, int, float, bool, type(None)):
        raise TypeError(type(node.value).__name__)
    return line, column, node.value, node.raw


def _at(node: Node, key: str) -> Iterator[int]:
    place = node.keys[key]
    yield place.line
    yield place.column


def _node_of(plain: list[Any], file: str) -> Node:
    line, column, value = plain[0], plain[1], plain[2]
    place = Place(file, line, column)
    if type(value) is dict:
        entries = {key: _node_of(child, file) for key, (_, _, child) in value.items()}
        return Node(entries, place, keys={key: Place(file, at[0], at[1]) for key, at in value.items()})
    if type(value) is list:
        return Node([_node_of(child, file) for child in value], place)
    return Node(value, place, value if len(plain) == 3 else plain[3])
