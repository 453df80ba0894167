"""The package of actions: imported as the server does it, or read as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.flows.check.checking import Request, check
from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    CODE,
    FLOWS,
    check_files,
    edit,
    lines_of,
    write_files,
)

# File, text, what it becomes, findings.
FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "a run of two arguments": (
        CODE,
        "async def run(self, dispatcher, tracker, domain)",
        "async def run(self, dispatcher, tracker)",
        ["not-an-action ACTS/send.py:5"],
    ),
    "an import that fails": (
        CODE,
        "from rasa_sdk import Action\n",
        "from rasa_sdk import Action\nimport there_is_no_such_module\n",
        ["import-failed ACTS/send.py:2"],
    ),
    "Python that is none": (
        CODE,
        "",
        "\n\ndef broken(:\n",
        ["import-failed ACTS/send.py:31"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(CALM, *edited)))) == sorted(expected)


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "run with any arguments": (
        CODE,
        "async def run(self, dispatcher, tracker, domain)",
        "async def run(self, dispatcher, tracker, *rest)",
    ),
    "a base class of actions": (
        CODE,
        "class ActionSend(Action)",
        "class Base(Action):\n    def run(self, dispatcher, tracker, domain):\n        ...\n\n\nclass ActionSend(Base)",
    ),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CALM_AND_MORE, *NEAR_MISSES[name]))) == []


def test_code_that_does_not_import_is_still_read(tmp_path: Path) -> None:
    """What the text alone tells is found beside the failure."""
    files = edit(CALM, CODE, 'get_slot("kind")', 'get_slot("kid")')
    files = edit(files, CODE, "from rasa_sdk import Action\n", "import no_such_module\nfrom rasa_sdk import Action\n")
    files = edit(files, FLOWS, "action: action_send", "action: action_sned")

    assert lines_of(check_files(tmp_path, files)) == [
        "import-failed ACTS/send.py:1",
        "unknown-slot ACTS/send.py:11",
        "action-without-class data/flows.yml:21",
    ]


def test_what_a_failing_import_may_have_defined_is_not_called_missing(tmp_path: Path) -> None:
    """A name made at run time may be the one that is asked for."""
    files = edit(CALM, CODE, "from rasa_sdk import Action\n", "import no_such_module\nfrom rasa_sdk import Action\n")
    files = edit(files, CODE, 'return "action_send"', 'return "action_" + "send"')

    assert lines_of(check_files(tmp_path, files)) == ["import-failed ACTS/send.py:1"]


def test_text_alone_is_read_on_request(tmp_path: Path) -> None:
    """Without an import, names that the text tells are known, and no code runs."""
    files = edit(CALM, CODE, "", "\n\nraise RuntimeError('imported')\n")
    files = edit(files, FLOWS, "action: action_send", "action: action_sned")
    with write_files(tmp_path, files) as package:
        report = check(Request(Path("."), package, load=False))

    assert lines_of(report) == ["action-without-class data/flows.yml:21"]
