"""Recorded calls, as files of `run --record` have them: reading, changing and comparing them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.errors import SettingsError

# Of each run its own: when it was, and what finds it in the log.
_OWN = frozenset({"timestamp", "error_id"})
_NEEDS_DOMAIN = 449


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
    contents = [(file, _read(file)) for file in sorted(folder.glob("*.json"))]
    domains: dict[str, Any] = {}
    for file, content in contents:
        request = content["request"]
        if "domain_file" in request and request.get("domain_digest"):
            domains[request["domain_digest"]] = _read_domain(file.parent / request["domain_file"])
    found = [_recorded(file, content, domains) for file, content in contents]
    return [call for call in found if call.status != _NEEDS_DOMAIN]


def _recorded(file: Path, content: Mapping[str, Any], domains: Mapping[str, Any]) -> RecordedCall:
    request = {key: value for key, value in content["request"].items() if key != "domain_file"}
    if "domain_file" in content["request"]:
        request["domain"] = _read_domain(file.parent / content["request"]["domain_file"])
    elif request.get("domain_digest") in domains:
        request["domain"] = domains[request["domain_digest"]]
    else:
        # No server here knows the domain, and none can ask for it.
        request.pop("domain_digest", None)
    return RecordedCall(
        file, request, int(content["status"]), content.get("reply"), float(content.get("milliseconds", 0)), content
    )


def _read(file: Path) -> Mapping[str, Any]:
    content = _read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("request"), dict) or "status" not in content:
        raise SettingsError(str(file), "is no recorded call: it has no `request` and `status`")
    return content


def _read_domain(file: Path) -> Any:
    return _read_json(file)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(str(file), "cannot be read as JSON") from exc


def comparable(status: int, reply: Any) -> Any:
    """Return an answer without what is another one in each run."""
    return _without_own({"status": status, "reply": reply})


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_own(item) for key, item in value.items() if key not in _OWN}
    return [_without_own(item) for item in value] if isinstance(value, list) else value


def differences(before: Any, after: Any) -> list[str]:
    """Return the lines of a unified diff of two answers, without its head; none if they are the same."""
    old, new = (json.dumps(v, indent=1, ensure_ascii=False, sort_keys=True).splitlines() for v in (before, after))
    lines: Iterable[str] = difflib.unified_diff(old, new, lineterm="", n=1)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
