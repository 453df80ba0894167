"""Whether the slots somebody types are slots of the assistant: a misspelt one would be read by nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from action_server.errors import SettingsError
from action_server.nearest import did_you_mean

if TYPE_CHECKING:
    from action_server.runtime.registry import RegisteredAction

# Where a project's domain can be; see project/location.py, which is loaded only if there may be one.
_FOLDERS = (Path(), Path("assistant"))
_DOMAINS = ("domain.yml", "domain.yaml", "domain")
# Of every assistant, whatever its domain says.
_ALWAYS = frozenset({"requested_slot", "return_value"})


def refuse_unknown_slots(slots: Iterable[str], domain: Mapping[str, Any] | None) -> bool:
    """Refuse slots that the ``domain`` does not have, or without one that of the project in the working directory.

    Where no domain is known, or it has no slots, any is accepted. Returns whether one is known.

    Raises:
        SettingsError: names the slot, and the one that may have been meant.
    """
    own, of_all = _slots_of(domain) if domain is not None else _slots_of_the_project()
    for name in slots:
        if own and name not in own | of_all:
            hint = did_you_mean(name, own) or f"; it has {', '.join(sorted(own)[:10])}"
            raise SettingsError(f"slot {name!r}", f"is not in the domain{hint}")
    return bool(own)


def refuse_unread_slots(slots: Iterable[str], action: RegisteredAction, *, may_be_read_elsewhere: bool) -> str:
    """Refuse slots that nothing in the code of an action reads or sets.

    Returns a warning instead, "" if there is nothing to say, where the code may read slots that it does not name.

    Raises:
        SettingsError: names the slot, and the one that may have been meant.
    """
    from action_server.tools.code import read_code

    facts = read_code(action.run)
    known = {*facts.reads, *facts.sets}
    for name in slots:
        if name in known or name in facts.words or name in _ALWAYS:
            continue
        hint = did_you_mean(name, known) or (f"; it reads {', '.join(sorted(known)[:10])}" if known else "")
        if facts.is_whole and not may_be_read_elsewhere:
            raise SettingsError(f"slot {name!r}", f"is not read by {action.name}{hint}")
        return f"warning: nothing is seen to read the slot {name!r} in {action.name}{hint}"
    return ""


def _slots_of(domain: Mapping[str, Any]) -> tuple[set[str], frozenset[str]]:
    """Return the slots of a domain, and those of every assistant; as :func:`_slots_of_the_project`."""
    written, forms = domain.get("slots"), domain.get("forms")
    if not isinstance(written, Mapping) or not written:
        return set(), _ALWAYS
    names = {str(name) for name in written}
    for form in forms.values() if isinstance(forms, Mapping) else ():
        required = form.get("required_slots") if isinstance(form, Mapping) else None
        names |= {str(name) for name in required} if isinstance(required, (list, dict)) else set()
    return names, _ALWAYS


def _slots_of_the_project() -> tuple[set[str], frozenset[str]]:
    if not any((folder / name).exists() for folder in _FOLDERS for name in _DOMAINS):
        return set(), _ALWAYS
    from action_server.project.domain import BUILT_IN_SLOTS
    from action_server.project.location import locate_project
    from action_server.project.project_reader import read_project

    folder = locate_project(Path())
    if folder is None:
        return set(), _ALWAYS
    domain = read_project(folder).domain
    return set(domain.own_slots), frozenset({*domain.slots, *BUILT_IN_SLOTS, *_ALWAYS})
