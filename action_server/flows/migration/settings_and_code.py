"""Drafts of what flows need beside them: config.yml, and actions that validate as the classes of forms do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from action_server.flows.check.code import Code
from action_server.project.project import Project

_CONFIG = """\
# To do: name the language model in endpoints.yml, under `model_groups`, and the group here.
recipe: default.v1
language: {language}

pipeline:
  - name: CompactLLMCommandGenerator

policies:
  - name: FlowPolicy
"""
_CODE = '''\
"""Validates slots of flows with the methods that validated them in forms.

Copy it into the package of actions, and list the names under `actions` of the domain. A method that looks at the form
(`requested_slot`, `active_loop`) has to be written anew.
"""

import inspect

from rasa_sdk import Action
from rasa_sdk.events import SlotSet

{imports}


class _Validation(Action):
    """Asks a method of a form's class what becomes of a value. It is called while the slot is still empty, too."""

    slot = ""
    form = None

    def name(self):
        return f"validate_{{self.slot}}"

    async def run(self, dispatcher, tracker, domain):
        value = tracker.get_slot(self.slot)
        if value is None:
            return []
        found = getattr(self.form(), f"validate_{{self.slot}}")(value, dispatcher, tracker, domain)
        if inspect.isawaitable(found):
            found = await found
        return [SlotSet(name, value) for name, value in (found or {{}}).items()]


{classes}'''
_CLASS = """\
class {name}(_Validation):
    slot = "{slot}"
    form = {form}
"""


def draft_config(project: Project) -> str:
    """Return a config.yml for flows, in the project's language."""
    language = project.config.get("language")
    return _CONFIG.format(language=language if isinstance(language, str) else "en")


def draft_validators(methods: Mapping[str, Sequence[str]], code: Code) -> str:
    """Return actions `validate_<slot>` over the methods of forms' classes; empty if each has a class already.

    ``methods`` are, by form, the slots that its class validates. Of two forms that validate one slot the first counts.
    """
    registered = {action.name: action.source for action in code.registered}
    wanted: dict[str, str] = {}
    for form, slots in methods.items():
        for slot in slots:
            if f"validate_{slot}" not in code.names:
                wanted.setdefault(slot, registered[f"validate_{form}"])
    if not wanted:
        return ""
    imports = sorted({f"from {module} import {name}" for module, _, name in map(_split, wanted.values())})
    classes = [
        _CLASS.format(name=f"Validate{_camel(slot)}", slot=slot, form=_split(source)[2])
        for slot, source in wanted.items()
    ]
    return _CODE.format(imports="\n".join(imports), classes="\n\n".join(classes))


def _split(source: str) -> tuple[str, str, str]:
    return source.rpartition(".")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))
