"""A fault planted for each requirement is found, nothing else is, and rasa-sdk shows the defects it is known for."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from action_server.config.settings import Settings
from action_server.errors import SettingsError, UnreachableError
from action_server.testing import requirements as must
from action_server.testing.examine import Report, Request, examine_package, examine_url
from action_server.testing.tested_project import TestedProject, read_domain_in
from tests.action_server.testing.faulty_server import faulty_server
from tests.processes import PATIENCE, ROOT, environment
from tests.projects import project

DOMAIN = """
    actions: [action_greet, action_count, action_reject]
    slots:
      guests: {type: float, mappings: [{type: custom}]}
      size: {type: categorical, values: [small, large]}
      email: {type: text}
    responses: {utter_dish: [{text: soup}]}
"""
# Which requirement, and which way it is broken.
FAULTS = [
    *(one.id for one in must.ALL),
    *("events unknown", "events timestamp", "events user", "slots-fit categorical"),
    *("malformed 400", "nothing-secret malformed", "compression 400", "compression 500"),
]


def request_for(folder: Path) -> Request:
    project(folder, {"domain.yml": DOMAIN})
    read = TestedProject(folder, Settings(), read_domain_in(folder))
    return Request(read, {"email": "ann@example.com"}, once=["action_count"])


async def test_a_server_that_keeps_the_contract_is_told_so(tmp_path: Path) -> None:
    """Every requirement is looked at, and none is broken."""
    with faulty_server() as url:
        report = await examine_url(url, request_for(tmp_path))

    assert report.violations == []
    assert report.checked == set(must.ALL)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    """The requirement that is broken is named, and no other one; no slot's value is repeated."""
    with faulty_server(fault) as url:
        report = await examine_url(url, request_for(tmp_path))

    assert {v.requirement.id for v in report.violations} == {fault.split()[0]}
    assert "ann@example.com" not in str(report.as_json())


async def test_without_a_domain_no_name_is_judged(tmp_path: Path) -> None:
    """They are not checked, which is said, and an unknown slot is no fault."""
    nothing = Request(TestedProject(tmp_path, Settings(), read_domain_in(tmp_path)))
    with faulty_server("slots-known") as url:
        report = await examine_url(url, nothing)

    assert report.violations == []
    assert report.result_of(must.SLOTS_KNOWN) == "not checked"


async def test_where_nothing_answers_nothing_is_examined(tmp_path: Path) -> None:
    """It is an error of its own, and no broken requirement."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError):
            await examine_url(f"http://127.0.0.1:{free.getsockname()[1]}", request_for(tmp_path))


async def test_a_package_is_served_and_keeps_the_contract(folder: Path) -> None:
    """Ours does, also with an action that takes long; one that fails is its only fault."""
    project(folder, {"actions.py": SLOW_AND_WRONG})
    request = Request(TestedProject(folder, Settings(), read_domain_in(folder)))

    report = await examine_package(Settings(), request)

    assert [(v.requirement.id, v.action, v.problem) for v in report.violations] == [
        ("answers", "action_fail", "it answers 500")
    ]


FACED = """
    import itertools
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet
    from action_server import mcp

    calls = itertools.count()

    @mcp
    class ActionHistory(Action):
        def name(self):
            return "action_history"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("size", "large" if tracker.events else "small")]

    @mcp
    class ActionSteady(Action):
        def name(self):
            return "action_steady"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(response="utter_dish")
            dispatcher.utter_message(text="x", json_message={"n": 1.5}, buttons=[{"title": "a", "payload": "/b"}])
            return [SlotSet("guests", tracker.get_slot("guests")), SlotSet("email", None)]

    class ActionNever(Action):
        def name(self):
            return "action_never"

        def run(self, dispatcher, tracker, domain):
            return [SlotSet("guests", next(calls))]
"""


async def test_answers_of_a_package_are_compared_over_each_face(folder: Path) -> None:
    """What a tool's call lacks changes an answer; an action that never answers the same is not blamed on its faces."""
    project(folder, {"actions.py": FACED, "domain.yml": DOMAIN})
    read = TestedProject(folder, Settings(), read_domain_in(folder))
    actions = ["action_history", "action_never", "action_steady"]

    report = await examine_package(Settings(), Request(read, {"guests": 3}, actions))

    assert report.called == actions
    assert [(v.requirement.id, v.action, v.problem) for v in report.violations] == [
        ("same-over-faces", "action_history", "as a tool its events are other ones than over HTTP")
    ]


SLOW_AND_WRONG = """
    import time
    from rasa_sdk import Action
    from rasa_sdk.events import SlotSet

    class ActionFail(Action):
        def name(self):
            return "action_fail"

        def run(self, dispatcher, tracker, domain):
            raise KeyError("hunter2")

    class ActionOne(Action):
        def name(self):
            return "action_one"

        def run(self, dispatcher, tracker, domain):
            return []

    class ActionSlow(Action):
        def name(self):
            return "action_slow"

        def run(self, dispatcher, tracker, domain):
            time.sleep(2)
            return SlotSet("guests", 3)
"""


@contextmanager
def rasa_sdk(folder: Path) -> Iterator[str]:
    """Run rasa-sdk's own server within the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(arguments, cwd=folder, env=environment(), stdout=quiet, stderr=quiet)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """It says nowhere when it is ready, so it is asked."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - of this host
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("rasa-sdk did not start")


async def test_rasa_sdk_shows_the_defects_it_is_known_for(tmp_path: Path) -> None:
    """As docs/differences.md lists: it blocks, echoes, forgets domains, answers 200 without an action, 400 deflated."""
    project(tmp_path, {"actions.py": SLOW_AND_WRONG})
    request = Request(TestedProject(tmp_path, Settings(), read_domain_in(tmp_path)))
    with rasa_sdk(tmp_path) as url:
        report = await examine_url(url, request)

    broken = {(v.requirement.id, v.action) for v in report.violations}
    assert {
        ("concurrency", "action_slow"),
        ("answers", "action_fail"),
        ("nothing-secret", "action_fail"),
        ("two-domains", ""),
        ("no-action", ""),
        ("malformed", ""),
        ("not-found", ""),
        ("compression", "action_fail"),
    } <= broken
    assert ("health", "") not in broken


def test_the_page_has_each_requirement_with_its_sentence() -> None:
    """In the order in which they are printed."""
    page = (ROOT / "docs/howto/test-your-actions.md").read_text(encoding="utf-8")

    assert re.findall(r"^- `([a-z-]+)`: (.+)$", page, re.MULTILINE) == [(one.id, one.sentence) for one in must.ALL]


def test_a_report_for_scripts_has_each_requirement_with_its_sentence() -> None:
    """Ids are what scripts go by."""
    found = Report("x").as_json()["requirements"]

    assert [one["id"] for one in found] == [one.id for one in must.ALL]
    assert all(one["sentence"].endswith(".") and one["result"] == "not checked" for one in found)
    assert len({one["id"] for one in found}) == len(found)


def test_a_domain_that_cannot_be_read_is_said_with_its_line(tmp_path: Path) -> None:
    """Otherwise no slot would be known, and a misspelt one would pass."""
    (tmp_path / "domain.yml").write_text("slots:\n  a: {type: text\n")

    with pytest.raises(SettingsError, match=r"domain\.yml:\d+"):
        read_domain_in(tmp_path)
