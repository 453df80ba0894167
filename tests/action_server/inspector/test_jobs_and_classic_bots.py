"""Jobs have pages, linked with the calls that asked for them; bots without flows, or with nothing but actions, too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_server.inspector.inspected import Answer, Inspected, inspected

ACTIONS = """
import logging
from pathlib import Path

from action_server import idempotent, job, later
from rasa_sdk import Action

logger = logging.getLogger(__name__)


@job(retries=0)
async def count_letters(text: str) -> int:
    logger.warning("counting %s", text)
    if not Path("open").exists():
        raise ValueError("the counter is closed")
    return len(text)


class Later(Action):
    def name(self):
        return "action_later"

    async def run(self, dispatcher, tracker, domain):
        ordered = await later(count_letters, text=tracker.get_slot("text"))
        dispatcher.utter_message(text=ordered.id)
        return []


@idempotent
class Once(Action):
    def name(self):
        return "action_once"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text=f"sent {tracker.get_slot('text')}")
        return []


class Greet(Once):
    def name(self):
        return "action grüße & <co>"


@idempotent(key=("text", "days"), within=3600)
class OnceByKey(Once):
    def name(self):
        return "validate_send_form"
"""
DOMAIN = """
version: "3.1"
slots:
  text: {type: text, mappings: [{type: from_text}]}
  days: {type: float, mappings: [{type: custom}]}
forms:
  send_form: {required_slots: [text]}
actions: [action_later, action_once, validate_send_form]
"""
RULES = """
rules:
  - rule: Send it
    steps:
      - intent: send
      - action: send_form
      - active_loop: send_form
stories:
  - story: A long one
    steps:
      - intent: wait
      - action: action_later
"""


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classic")
    (folder / "actions.py").write_text(ACTIONS, encoding="utf-8")
    (folder / "domain.yml").write_text(DOMAIN, encoding="utf-8")
    (folder / "config.yml").write_text("recipe: default.v1\nlanguage: en\n", encoding="utf-8")
    (folder / "data").mkdir()
    (folder / "data" / "rules.yml").write_text(RULES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def dev(bot: Path) -> Iterator[Inspected]:
    with inspected(bot, "--dev", "--database", "jobs.sqlite3") as found:
        yield found


def asked_for(dev: Inspected, sender: str, **slots: str) -> str:
    return str(json.loads(dev.call("action_later", sender, **slots).text)["responses"][0]["text"])


def again(dev: Inspected, number: int, **fields: str) -> Answer:
    answer = dev.post(f"/inspector/calls/{number}/run", **fields)
    assert answer.status == 303, answer.shown
    return dev.ask(answer.headers["Location"])


def test_a_job_that_was_given_up_is_found_from_its_call_and_run_again(dev: Inspected, bot: Path) -> None:
    (bot / "open").unlink(missing_ok=True)
    job = asked_for(dev, "asker", text="<b>abc</b>")
    dev.newest(job)
    listed = dev.ask("/inspector/jobs").text
    parked = dev.ask(f"/inspector/jobs/{job}")
    call = dev.ask(f"/inspector/calls/{dev.newest('asker', action='action_later')}")
    run = dev.ask(f"/inspector/calls/{dev.newest(job)}")
    (bot / "open").touch()
    retried = dev.post(f"/inspector/jobs/{job}/retry")
    for _ in dev.news():
        done = dev.ask(f"/inspector/jobs/{job}")
        if "count_letters done" in done.shown:
            break

    assert f'href="/inspector/jobs/{job}"' in listed
    assert "count_letters parked" in parked.shown
    line = next(n for n, text in enumerate(ACTIONS.splitlines(), 1) if "raise ValueError" in text)
    assert f"ValueError at actions.py:{line}" in parked.shown
    assert '"text": "<b>abc</b>"' in parked.shown
    assert "<b>abc" not in parked.text
    assert re.search(r'href="/inspector/calls/\d+">action_later, call \d+', parked.text)
    assert f'href="/inspector/jobs/{job}"' in call.text
    assert "count_letters parked: ValueError at" in re.sub(r"\s+:", ":", call.shown)
    assert "ValueError: the counter is closed" in run.shown
    assert "counting <b>abc</b>" in run.shown
    assert f'href="/inspector/jobs/{job}"' in run.text
    assert "Run again" not in run.shown
    assert retried.status == 303
    assert "Result 10" in done.shown
    assert dev.post(f"/inspector/jobs/{job}/retry").status == 409
    assert dev.post(f"/inspector/jobs/{job}/cancel").status == 409
    assert dev.ask(f"/inspector/jobs/{'0' * 32}").status == 404
    assert dev.ask(f"/inspector/jobs/{job[:8]}").status == 404


def test_jobs_are_listed_by_their_state(dev: Inspected, bot: Path) -> None:
    (bot / "open").touch()
    job = asked_for(dev, "stater", text="x")
    dev.newest(job)

    assert job in dev.ask("/inspector/jobs?state=done").text
    assert job not in dev.ask("/inspector/jobs?state=waiting").text
    assert dev.ask("/inspector/jobs?state=<script>").status == 200


@pytest.mark.parametrize("way", ["retry", "cancel"])
def test_no_other_page_looks_after_jobs(dev: Inspected, way: str) -> None:
    path = f"/inspector/jobs/{'0' * 32}/{way}"

    assert dev.ask(path, "", headers={"Origin": "https://evil.example"}).status == 403
    assert dev.ask(path, "", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 403
    assert dev.ask(path).status == 405


def test_a_turn_that_ran_once_says_that_nothing_runs_again(dev: Inspected) -> None:
    """Before the click and after it; the first answer comes whatever slots are changed, as it is the same turn."""
    dev.call("action_once", "once", text="a")
    number = dev.newest("once")
    form = dev.ask(f"/inspector/calls/{number}").shown
    page = again(dev, number, **{"slot.text": "b"}).shown

    assert "This runs the action for real" in form
    assert "marked to run once in a turn, and this is the same turn" in form
    assert "Nothing ran: its action is marked to run once, and this is the answer of the first run." in page
    assert "sent a" in page
    assert "The answer is the same." in page
    assert "repeated" in dev.rows(q="once").shown


def test_an_action_that_runs_once_for_its_values_runs_for_others(dev: Inspected) -> None:
    dev.call("validate_send_form", "keyed", text="a", days=1)
    number = dev.newest("keyed")
    form = dev.ask(f"/inspector/calls/{number}").shown

    assert "once for the same text and days within 1 h, in this conversation" in form
    assert "Nothing ran" in again(dev, number).shown
    page = again(dev, number, **{"slot.text": "b"}).shown
    assert "It ran, although its action is marked to run once: text and days had other values" in page
    assert "sent b" in page


def test_rules_stories_and_forms_are_who_calls(dev: Inspected) -> None:
    validated = dev.ask("/inspector/actions/validate_send_form").shown
    later = dev.ask("/inspector/actions/action_later").shown
    once = dev.ask("/inspector/actions/action_once").shown

    assert "the rule 'Send it' at data/rules.yml:6" in validated
    assert "the rule 'Send it' at data/rules.yml:7" in validated
    assert "the form 'send_form', whose slots it validates at domain.yml:7" in validated
    assert "the story 'A long one' at data/rules.yml:12" in later
    assert "No flow, rule, story or form here calls it." in once


def test_the_form_of_a_bot_without_flows_has_its_slots(dev: Inspected) -> None:
    form = dev.ask("/inspector/actions/action_once")
    answer = dev.post("/inspector/actions/action_once/run", **{"slot.text": "c", "slot.days": "2"})

    assert re.search(r'name="slot.days"[^>]*type="number"', re.sub(r"\s+", " ", form.text))
    assert "this is a turn of its own, so it runs" in form.shown
    assert "sent c" in dev.ask(answer.headers["Location"]).shown


def test_an_action_of_any_name_has_its_page(dev: Inspected) -> None:
    name = "action grüße & <co>"
    (link,) = re.findall(r'href="([^"]+)">action grüße', dev.ask("/inspector/actions").text)
    answer = dev.post(f"{link}/run", **{"slot.text": "d"})
    page = dev.ask(answer.headers["Location"])

    assert name in dev.ask(link).shown
    assert name in page.shown
    assert "sent d" in page.shown


def test_a_package_with_nothing_but_actions_is_enough(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "actions.py").write_text(
        "from rasa_sdk import Action\n\nclass Hello(Action):\n    def name(self):\n        return 'action_hello'\n\n"
        "    def run(self, dispatcher, tracker, domain):\n"
        "        dispatcher.utter_message(text=f\"hello {tracker.get_slot('who')}\")\n        return []\n"
    )
    with inspected(tmp_path / "bot", "--dev") as bare:
        pages = {path: bare.ask(path) for path in ("/inspector/", "/inspector/actions", "/inspector/jobs")}
        form = bare.ask("/inspector/actions/action_hello")
        answer = bare.post("/inspector/actions/action_hello/run", **{"slot.who": "ann"})
        page = bare.ask(answer.headers["Location"])

    assert {one.status for one in pages.values()} == {200}
    assert "have no job" in pages["/inspector/jobs"].shown
    assert ">Jobs</a>" not in pages["/inspector/"].text
    assert 'name="slot.who"' in form.text
    assert "hello ann" in page.shown
