"""`check` finds what a package loses when it is imported, what belongs to one thread, and faults of forms' classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import CALM, CLASSIC, CODE, FORM, check_files, edit, lines_of

_ACTION = CALM[CODE][CALM[CODE].index("class ActionAskAmount") : CALM[CODE].index("class ValidateAmount")]
_MOVED = {
    **edit(CALM, CODE, _ACTION, ""),
    "ACTS/asking/ask.py": f"from rasa_sdk import Action\n\n\n{_ACTION}",
}
_PLAIN = "\n    def required_slots(self, domain_slots, dispatcher, tracker, domain):\n"
_RETURN = '        return {"size": slot_value}\n'
_CONNECTION = 'import sqlite3\n\nconnection = sqlite3.connect(":memory:")\n'


def test_a_folder_of_actions_without_init_is_found(tmp_path: Path) -> None:
    """Python passes over it when it looks for modules; the action is missing, too."""
    assert sorted(lines_of(check_files(tmp_path, _MOVED))) == [
        "action-without-class domain.yml:26",
        "folder-without-init ACTS/asking/ask.py:4",
    ]


def test_a_package_of_nothing_but_a_folder_without_init_is_found(tmp_path: Path) -> None:
    """The server starts with no action at all."""
    files = {name: text for name, text in CALM.items() if not name.startswith("ACTS")}
    report = check_files(tmp_path, {**files, "ACTS/asking/send.py": CALM[CODE]})

    assert "folder-without-init ACTS/asking/send.py:5" in lines_of(report)
    assert not report.code.registered


FOLDERS = {
    "with __init__.py": {**_MOVED, "ACTS/asking/__init__.py": ""},
    "imported by name": edit(_MOVED, "ACTS/__init__.py", "", "from .asking.ask import ActionAskAmount\n"),
    "imported as a module": edit(_MOVED, "ACTS/__init__.py", "", "from .asking import ask\n"),
    "without actions": {**CALM, "ACTS/asking/words.py": "WORDS = 1\n"},
    "of tests": {**CALM, "ACTS/tests/test_ask.py": _MOVED["ACTS/asking/ask.py"]},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_whose_actions_are_found_is_left_alone(tmp_path: Path, name: str) -> None:
    """And so is one that holds no actions, or those of tests."""
    assert lines_of(check_files(tmp_path, FOLDERS[name])) == []


def test_an_object_bound_to_a_thread_is_found(tmp_path: Path) -> None:
    """With the place of the variable; the synchronous action of the same package would use it on another thread."""
    assert lines_of(check_files(tmp_path, {**CALM, "ACTS/store.py": _CONNECTION})) == ["thread-bound ACTS/store.py:3"]


def test_an_object_that_works_on_any_thread_is_left_alone(tmp_path: Path) -> None:
    """A connection that says so, and one that an action opens for itself."""
    anywhere = _CONNECTION.replace('":memory:"', '":memory:", check_same_thread=False')
    inside = "import sqlite3\n\n\ndef connect():\n    return sqlite3.connect(':memory:')\n"

    assert lines_of(check_files(tmp_path, {**CALM, "ACTS/store.py": anywhere, "ACTS/other.py": inside})) == []


FORM_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a slot of a validator": (FORM, _RETURN, _RETURN.replace("size", "siez"), ["unknown-slot ACTS/order.py:17"]),
    "a slot of a validator beside another": (
        FORM,
        _RETURN,
        '        return {"size": slot_value, "wieght": None}\n',
        ["unknown-slot ACTS/order.py:17"],
    ),
    "a slot of a validator's variable": (
        FORM,
        _RETURN,
        '        found = {"size": slot_value}\n        found["wieght"] = 1\n        return found\n',
        ["unknown-slot ACTS/order.py:18"],
    ),
    "a value of a validator": (
        FORM,
        _RETURN,
        '        return {"size": "bigg"}\n',
        ["impossible-value ACTS/order.py:17"],
    ),
    "a slot of an extractor": (
        FORM,
        _RETURN,
        _RETURN + '\n    def extract_size(self, dispatcher, tracker, domain):\n        return {"siez": 1}\n',
        ["unknown-slot ACTS/order.py:20"],
    ),
    "a plain required_slots": (
        FORM,
        _RETURN,
        f'{_RETURN}{_PLAIN}        return domain_slots + ["size"]\n',
        ["plain-method ACTS/order.py:19"],
    ),
    "a plain required_slots that copies": (
        FORM,
        _RETURN,
        f"{_RETURN}{_PLAIN}        return list(domain_slots)\n",
        ["plain-method ACTS/order.py:19"],
    ),
}


@pytest.mark.parametrize("fault", FORM_FAULTS.values(), ids=list(FORM_FAULTS))
def test_a_planted_fault_is_found_in_a_form(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert lines_of(check_files(tmp_path, edit(CLASSIC, *edited))) == expected


FORM_NEAR_MISSES = {
    "a coroutine": f"{_RETURN}{_PLAIN.replace('def', 'async def')}        return domain_slots\n",
    "a plain method that returns a coroutine": (
        f"{_RETURN}{_PLAIN}        return super().required_slots(domain_slots, dispatcher, tracker, domain)\n"
    ),
    "a dict within a value": '        return {"size": {"wieght": 1}}\n',
    "a dict that is not returned": '        words = {"wieght": 1}\n        return {"size": slot_value or words}\n',
    "a key made at run time": '        return {"si" + "ze": slot_value}\n',
    "the requested slot": '        return {"size": None, "requested_slot": None}\n',
    "another method": f'{_RETURN}\n    def validate_all(self, text):\n        return {{"wieght": text}}\n',
}


@pytest.mark.parametrize("body", FORM_NEAR_MISSES.values(), ids=list(FORM_NEAR_MISSES))
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, body: str) -> None:
    """A form that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CLASSIC, FORM, _RETURN, body))) == []
