"""A call is run again with other slots, and taken along; an action is called by a form. In production nothing runs."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from action_server.testing.stub_file import find_stubs
from tests.action_server.inspector.inspected import Answer, Inspected, inspected, make_bot
from tests.engine_calls import call_body
from tests.processes import PATIENCE, environment, run

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bot(tmp_path_factory.mktemp("running"))


@pytest.fixture(scope="module")
def dev(bot: Path) -> Iterator[Inspected]:
    with inspected(bot, "--dev") as found:
        yield found


def copied(page: Answer, way: str) -> str:
    """What a button of a page copies."""
    found = re.search(rf'<pre id="copy-{way}"[^>]*>(.*?)</pre>', page.text, re.DOTALL)
    assert found is not None, page.shown
    return unescape(found[1])


def page_after(dev: Inspected, answer: Answer) -> Answer:
    assert answer.status == 303, answer.shown
    return dev.ask(answer.headers["Location"])


def test_a_call_runs_again_with_another_slot(dev: Inspected) -> None:
    dev.call("action_weather", "again", city="Atlantis", days=2)
    number = dev.newest("again")
    form = dev.ask(f"/inspector/calls/{number}")
    page = page_after(dev, dev.post(f"/inspector/calls/{number}/run", **{"slot.city": '"Oslo"', "face": "webhook"}))

    assert "This runs the action for real" in form.shown
    assert re.search(r'<option value="&#34;Atlantis&#34;" selected>Atlantis</option>', form.text)
    assert re.search(r'name="slot.days" value="2"[^>]*type="number"', form.text)
    assert f"It ran again, after call {number}" in page.shown
    assert 'city "Atlantis" "Oslo"' in page.shown
    assert "days 2 2" in page.shown
    assert "Sun in Oslo" in page.shown
    assert '+ "status": 200' in page.shown


def test_what_was_not_touched_stays_as_it_was(dev: Inspected) -> None:
    large, odd = "x" * 30_000, {"a": [1, None, "é\n"]}
    dev.call("action_echo", "kept", text=large, city="Bern", exact=False, extra=odd, empty="")
    number = dev.newest("kept")
    fields = dict(re.findall(r'name="(slot\.[^"]+)" value="([^"]*)"', dev.ask(f"/inspector/calls/{number}").text))
    page = page_after(dev, dev.post(f"/inspector/calls/{number}/run", **{k: unescape(v) for k, v in fields.items()}))

    assert "Slots it came with" not in page.shown
    assert "The answer is the same." in page.shown


@pytest.mark.parametrize(("face", "shown"), [("grpc", "grpc"), ("mcp", "mcp")])
def test_a_call_runs_by_another_face(dev: Inspected, face: str, shown: str) -> None:
    dev.call("action_weather", f"face-{face}", city="Bern")
    number = dev.newest(f"face-{face}")
    page = page_after(dev, dev.post(f"/inspector/calls/{number}/run", face=face))

    assert f"It ran again, after call {number}" in page.shown
    assert f"Face {shown}" in page.shown
    assert "Sun in Bern" in page.shown


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"slot.days": "many"}, "days: this is not a number"),
        ({"face": "pigeon"}, "is no way to call an action"),
        ({"slot.text": "[", "slot.exact": "perhaps"}, "exact: this is not true or false"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_above_it(dev: Inspected, fields: dict[str, str], problem: str) -> None:
    dev.call("action_weather", "wrong", city="Bern")
    answer = dev.post(f"/inspector/calls/{dev.newest('wrong')}/run", **fields)

    assert answer.status == 422
    assert problem in answer.shown


def test_a_call_is_taken_along(dev: Inspected, bot: Path) -> None:
    dev.call("action_weather", "it's ann", city="Bern", text="4")
    page = dev.ask(f"/inspector/calls/{dev.newest('ann')}")
    test, line, curl, stub = (copied(page, way) for way in ("test", "line", "curl", "stub"))
    (bot / "test_copied.py").write_text(test, encoding="utf-8")
    tested = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_copied.py"]
    ran = subprocess.run(tested, cwd=bot, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    called = subprocess.run(["/bin/bash", "-c", line], cwd=bot, env=environment(), capture_output=True, text=True)
    curled = subprocess.run(["/bin/bash", "-c", curl], capture_output=True, text=True)

    assert "1 passed" in ran.stdout, ran.stdout
    assert "Sun in Bern" in called.stdout, called.stderr
    assert '"Sun in Bern"' in curled.stdout, curled.stderr
    assert stub.startswith("stub_custom_actions:\n  action_weather:\n")
    (bot / "stubs.yml").write_text(f"test_cases: []\n{stub}", encoding="utf-8")
    assert find_stubs(bot / "stubs.yml")[bot / "stubs.yml"]["action_weather"].responses[0]["text"] == "Sun in Bern"


def test_a_failed_call_is_taken_along_as_a_test(dev: Inspected) -> None:
    dev.call("action_weather", "sunk", city="Atlantis")
    page = dev.ask(f"/inspector/calls/{dev.newest('sunk')}")

    assert "assert result.status == 500" in copied(page, "test")
    assert "Not of this call: no call of it was answered with events" in page.shown


def test_the_steps_that_call_an_action_are_drawn(dev: Inspected) -> None:
    dev.call("action_weather", "drawn", city="Bern")
    page = dev.ask(f"/inspector/calls/{dev.newest('drawn')}")

    assert "step look at data/flows.yml:7" in page.shown
    assert len(re.findall(r'<g class="node run">', page.text)) == 1
    assert "<style" not in page.text


def test_any_action_is_called_by_a_form(dev: Inspected) -> None:
    listed = dev.ask("/inspector/actions").shown
    form = dev.ask("/inspector/actions/action_echo")
    answer = dev.post("/inspector/actions/action_echo/run", **{"slot.text": "ahoy", "new.name": "n", "new.value": "4"})
    page = page_after(dev, answer)

    assert re.search(r"action_weather actions/__init__\.py:\d+ thread city forecast ask_weather", listed)
    assert re.search(r"action_echo actions/__init__\.py:\d+ event loop text echoed ask_weather", listed)
    assert "Says what it was told." in form.shown
    assert re.search(r'"inputSchema"', form.shown)
    assert form.text.index('name="slot.text"') < form.text.index('name="slot.city"')
    assert "ahoy" in page.shown
    assert "n 4 4" in page.shown
    assert dev.ask("/inspector/actions/action_missing").status == 404


def test_findings_of_check_are_shown(dev: Inspected) -> None:
    found = dev.ask("/inspector/findings")

    assert found.status == 200
    assert "<html" not in found.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
def test_no_other_page_runs_anything(dev: Inspected, headers: dict[str, str]) -> None:
    dev.call("action_weather", "guarded", city="Bern")
    path = f"/inspector/calls/{dev.newest('guarded')}/run"

    assert dev.ask(path, "face=webhook", headers={**FORM, **headers}).status == 403
    assert dev.ask("/inspector/actions/action_echo/run", "face=webhook", headers={**FORM, **headers}).status == 403
    assert dev.ask(path).status == 405


def test_in_production_it_is_read_only_masked_and_behind_the_credential(bot: Path) -> None:
    settings = """
action_server:
  inspector: true
  auth:
    basic: {username: ann, password: secret}
privacy:
  rules:
    - slot: text
      anonymization: {type: mask}
"""
    (bot / "production.yml").write_text(settings, encoding="utf-8")
    key = {"Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()}
    with inspected(bot, "--endpoints", "production.yml", "--workers", "2") as server:
        body = call_body("action_echo", {"text": "0171-555"})
        assert server.ask("/webhook", body, headers=key).status == 200
        assert server.ask("/inspector/").status == 401
        assert server.ask("/inspector/", headers={**key, "Host": "inside.example"}).status == 200
        number = ""
        while not number:
            number = "".join(re.findall(r"calls/(\d+)", server.ask("/inspector/rows", headers=key).text))
        page = server.ask(f"/inspector/calls/{number}", headers=key)
        run_it = server.ask(f"/inspector/calls/{number}/run", "face=webhook", headers={**FORM, **key})
        call_it = server.ask("/inspector/actions/action_echo/run", "", headers={**FORM, **key})

    assert "0171" not in page.text
    assert "[TEXT]" in page.text
    assert "read-only" in page.shown
    assert "<form" not in page.text
    assert (run_it.status, call_it.status) == (403, 403)


def test_in_production_it_needs_a_credential(bot: Path) -> None:
    ended = run(bot, ["run", "--inspector"])

    assert ended.returncode == 2
    assert "--inspector: needs a credential: set `auth`" in ended.stderr
