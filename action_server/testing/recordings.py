"""Recorded calls, as files of `run --record` have them: reading, changing and comparing them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError
from action_server.telemetry.recording_backlog import read_lines
from action_server.telemetry.recording_files import is_recording

# Of each run its own: when it was, and what finds it in the log.
_OWN = frozenset({"timestamp", "error_id"})
_NEEDS_DOMAIN, _FAILED = 449, 500


@dataclass(frozen=True)
class RecordedCall:
    """One recorded call. ``request`` is complete, with the domain it was answered with; ``content`` is the file's."""

    file: Path
    request: Mapping[str, Any]
    status: int
    reply: Any
    milliseconds: float
    content: Mapping[str, Any]

    @property
    def action(self) -> str:
        """Return the name of the action that was called."""
        return str(self.request.get("next_action", ""))

    @property
    def face(self) -> str:
        """Return the way it came: http, grpc or mcp."""
        return str(self.content.get("face", "http"))

    def save(self, status: int, reply: Any, milliseconds: float) -> None:
        """Write the file anew, with another answer."""
        changed = {**self.content, "status": status, "reply": reply, "milliseconds": round(milliseconds, 2)}
        draft = self.file.with_name(f".{self.file.name}.new")
        draft.write_text(json.dumps(changed, indent=1), encoding="utf-8")
        draft.replace(self.file)


def read_recordings(folder: Path) -> list[RecordedCall]:
    """Read the recorded calls of a folder, the oldest first.

    Left out are calls that were answered with 449: the engine sent them again, with the domain.

    Raises:
        SettingsError: there is no such folder, or a file in it is no recording.
    """
    if not folder.is_dir():
        raise SettingsError(str(folder), "is no folder with recorded calls; `action-server run --record DIR` makes one")
    contents = [(file, content) for _, file, content in sorted(_contents_of(folder), key=lambda found: found[0])]
    domains: dict[str, Any] = {}
    for file, content in contents:
        request = content["request"]
        digest = request.get("domain_digest")
        if digest and "domain_file" in request:
            domains[digest] = _read_domain(file, request["domain_file"])
        elif digest and request.get("domain"):
            domains[digest] = request["domain"]
    found = [_recorded(file, content, domains) for file, content in contents]
    return [call for call in found if call.status != _NEEDS_DOMAIN]


def _contents_of(folder: Path) -> Iterator[tuple[str, Path, Mapping[str, Any]]]:
    """Give the recorded calls of a folder, in any order: what sorts them, the file of each, and what is in it.

    Those of a server that is busy, or was killed then, still are lines of its backlog.
    """
    known = set()
    for file in folder.glob("*.json"):
        # One that is gone made room for a newer call, if a server writes here at this moment.
        if is_recording(file.name) and (content := _read(file)) is not None:
            known.add((content.get("recorded"), content.get("request_id")))
            yield file.name, file, content
    for backlog in folder.glob("backlog-*.jsonl"):
        for number, line in enumerate(read_lines(backlog)):
            content = _read_line(line)
            if content is not None and (content.get("recorded"), content.get("request_id")) not in known:
                moment = re.sub(r"[-:.]|\+.*", "", str(content.get("recorded", "")))
                yield moment, folder / f"{moment}-{backlog.stem}-{number}.json", content


def _read_line(line: bytes) -> Mapping[str, Any] | None:
    """Return a call of a backlog; None for what never was one, which nobody has looked at yet."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if _is_call(content) else None


def _recorded(file: Path, content: Mapping[str, Any], domains: Mapping[str, Any]) -> RecordedCall:
    request = {key: value for key, value in content["request"].items() if key != "domain_file"}
    if "domain_file" in content["request"]:
        request["domain"] = _read_domain(file, content["request"]["domain_file"])
    elif request.get("domain_digest") in domains:
        request["domain"] = domains[request["domain_digest"]]
    elif not request.get("domain"):
        # No server here knows the domain, and none can ask for it.
        request.pop("domain_digest", None)
    return RecordedCall(
        file, request, int(content["status"]), content.get("reply"), float(content.get("milliseconds", 0)), content
    )


def _read(file: Path) -> Mapping[str, Any] | None:
    """Return what is in a file, None if it is not there any more."""
    try:
        content = _read_json(file)
    except FileNotFoundError:
        return None
    if not _is_call(content):
        raise SettingsError(str(file), "is no recorded call: that is an object with `request` and `status`")
    found: Mapping[str, Any] = content
    return found


def _is_call(content: Any) -> bool:
    request = content.get("request") if isinstance(content, dict) else None
    return (
        isinstance(request, dict)
        and isinstance(request.get("tracker"), (dict, type(None)))
        and isinstance(request.get("domain_digest"), (str, type(None)))
        and isinstance(content.get("status"), int)
        and isinstance(content.get("milliseconds", 0), (int, float))
    )


def _read_domain(file: Path, name: object) -> Any:
    # Only from the folder it belongs to, whatever somebody wrote into a recording.
    path = file.parent / "domains" / Path(str(name)).name
    try:
        return _read_json(path)
    except FileNotFoundError as exc:
        problem = f"is missing: it is the domain of the recorded call {file.name}, and belongs beside it"
        raise SettingsError(str(path), problem) from exc


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as exc:
        raise SettingsError(str(file), "cannot be read as JSON") from exc


def comparable(status: int, reply: Any) -> Any:
    """Return an answer without what is another one in each run."""
    return _without_own({"status": status, "reply": reply})


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_own(item) for key, item in value.items() if key not in _OWN}
    return [_without_own(item) for item in value] if isinstance(value, list) else value


def as_over_grpc(answer: Any) -> Any:
    """Return a comparable answer as gRPC has it: all numbers are floats there, and all failures one."""
    failed = answer["status"] >= _FAILED
    return _with_floats({"status": _FAILED, "reply": None} if failed else answer)


def _with_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def differences(before: Any, after: Any) -> list[str]:
    """Return the lines of a unified diff of two answers, without its head; none if they are the same."""
    old, new = (json.dumps(v, indent=1, ensure_ascii=False, sort_keys=True).splitlines() for v in (before, after))
    lines: Iterable[str] = difflib.unified_diff(old, new, lineterm="", n=1)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
