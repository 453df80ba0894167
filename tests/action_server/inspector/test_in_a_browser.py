"""A developer finds a failed call, mends it, and takes it along as a test; in a real browser, on any screen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import typing
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.action_server.inspector.inspected import Inspected, inspected, make_bot
from tests.browsers import browser, serious_findings
from tests.engine_calls import call_body
from tests.processes import PATIENCE, environment

Scheme = Literal["light", "dark"]
PAGES = ("/inspector/", "/inspector/actions", "/inspector/actions/action_echo", "/inspector/jobs")
JOBS = """
from action_server import job, later
from rasa_sdk import Action

@job(retries=0)
async def fail(text: str) -> None:
    raise ValueError(text)

class Later(Action):
    def name(self):
        return "action_later"

    async def run(self, dispatcher, tracker, domain):
        ordered = await later(fail, text=tracker.get_slot("text"))
        dispatcher.utter_message(text=ordered.id)
        return []
"""
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_bot(tmp_path_factory.mktemp("browsed"))
    (folder / "actions" / "jobs.py").write_text(JOBS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def dev(bot: Path) -> Iterator[Inspected]:
    with inspected(bot, "--dev", "--workers", "2", "--database", "jobs.sqlite3") as found:
        yield found


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def page(chrome: Browser, dev: Inspected) -> Iterator[Page]:
    context = chrome.new_context(base_url=dev.running.url, viewport={"width": 1600, "height": 1000})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def test_a_failed_call_is_found_mended_and_taken_along(page: Page, dev: Inspected, bot: Path) -> None:
    page.goto("/inspector/")
    expect(page.get_by_text("No call yet")).to_be_visible()
    for city in ("Bern", "Atlantis", "Oslo"):
        dev.call("action_weather", f"somebody in {city}", city=city)
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Only failed").check()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="action_weather").click()
    expect(page.get_by_text("Your line:")).to_be_visible()
    page.get_by_label("city").select_option("Oslo")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("heading", name="Beside the first run")).to_be_visible()
    expect(page.locator(".said")).to_have_text("Sun in Oslo")
    page.get_by_text("Test (pytest)").click()
    page.get_by_role("button", name="Copy as Test (pytest)").click()
    expect(page.get_by_role("button", name="Copy as Test (pytest)")).to_have_text("Copied")
    test = page.evaluate("() => navigator.clipboard.readText()")
    (bot / "test_copied.py").write_text(test, encoding="utf-8")
    tested = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_copied.py"]
    ran = subprocess.run(tested, cwd=bot, env=environment(), capture_output=True, text=True, timeout=PATIENCE)

    assert "1 passed" in ran.stdout, ran.stdout


def test_the_list_stands_still_when_asked(page: Page, dev: Inspected) -> None:
    page.goto("/inspector/")
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_role("link", name="Go on")).to_be_visible()
    dev.call("action_weather", "while-paused", city="Bern")
    dev.newest("while-paused")
    expect(page.get_by_text("while-paused")).to_have_count(0)
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_text("while-paused")).to_be_visible()
    page.get_by_label("Search").fill("nobody-is-called-so")
    expect(page.get_by_text("No call that is kept is like that")).to_be_visible()


def test_it_is_used_by_keyboard_alone(page: Page, dev: Inspected) -> None:
    dev.call("action_weather", "by-keyboard", city="Bern")
    dev.newest("by-keyboard")
    page.goto("/inspector/?q=by-keyboard&paused=1")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id.startsWith('call-')"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What it said")).to_be_visible()


@pytest.mark.parametrize("scheme", typing.get_args(Scheme))
@pytest.mark.parametrize("width", [380, 1600])
def test_every_page_is_readable(chrome: Browser, dev: Inspected, width: int, scheme: Scheme) -> None:
    """No serious finding of axe, and nothing wider than the screen."""
    dev.call(
        "action_weather", "x" * 300, city="Atlantis", text="word " * 200, **{"a_slot_with_a_long_name" * 5: "y" * 500}
    )
    number = dev.newest("x" * 200)
    job = json.loads(dev.call("action_later", "y" * 300, text="z" * 500).text)["responses"][0]["text"]
    run = dev.newest(job)
    context = chrome.new_context(
        base_url=dev.running.url, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()
    calls = (f"/inspector/calls/{number}", f"/inspector/calls/{run}", f"/inspector/jobs/{job}")
    for path in (*PAGES, *calls):
        page.goto(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, path
        assert serious_findings(page) == [], path
    context.close()


def counted(dev: Inspected) -> int:
    """How many calls the list knows of: those that it kept, and those that it says came too fast."""
    # In the order in which they ended, which is not that in which two workers write them down.
    numbers = [int(number) for number in re.findall(r"/inspector/calls/(\d+)", dev.rows().text)]
    missed = re.search(r"([\d,]+) calls came faster", dev.rows().shown)
    return max(numbers, default=0) + int(missed[1].replace(",", "") if missed else 0)


def engine(dev: Inspected, sender: str, answers: list[int], ended: threading.Event) -> None:
    """Call one action after the other over a connection, as fast as they are answered."""
    body = call_body("action_echo", sender=sender)
    connection = HTTPConnection(urlsplit(dev.running.url).netloc, timeout=PATIENCE)
    while not ended.is_set():
        connection.request("POST", "/webhook", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        answers.append(answer.status)
    connection.close()


def test_under_load_no_answer_is_lost_and_the_page_stays_usable(page: Page, dev: Inspected) -> None:
    """As many as this machine makes: all are answered, each is in the list or counted there, and the page finds one."""
    dev.call("action_weather", "before-all", city="Bern")
    dev.newest("before-all")
    before = counted(dev)
    page.goto("/inspector/")
    answers: list[int] = []
    ended = threading.Event()
    engines = [threading.Thread(target=engine, args=(dev, f"busy-{n}", answers, ended)) for n in range(4)]
    for one in engines:
        one.start()
    try:
        expect(page.get_by_text("busy-").first).to_be_visible()
        dev.call("action_weather", "needle", city="Atlantis")
        page.get_by_label("Only failed").check()
        page.get_by_label("Search").fill("needle")
        expect(page.locator("tbody .sender")).to_have_count(1)
        expect(page.locator("tbody .sender")).to_have_text("needle")
        page.get_by_role("link", name="action_weather").click()
        expect(page.get_by_text("Your line:")).to_be_visible()
    finally:
        ended.set()
        for one in engines:
            one.join()

    assert len(answers) > 50
    assert set(answers) == {200}
    for _ in dev.news():
        if counted(dev) == before + len(answers) + 1:
            return
    raise AssertionError(f"{counted(dev) - before} of {len(answers) + 1} calls")


def test_nothing_jumps_while_calls_stream_in(page: Page, dev: Inspected) -> None:
    page.goto("/inspector/")
    page.evaluate(
        "() => { window.shift = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) "
        "window.shift += e.value; }).observe({type: 'layout-shift', buffered: true}); }"
    )
    head = page.locator("thead").bounding_box()
    for number in range(5):
        dev.call("action_weather", f"stream-{number}", city="Bern")
        expect(page.get_by_text(f"stream-{number}", exact=True)).to_be_visible()

    assert page.locator("thead").bounding_box() == head
    assert page.evaluate("() => window.shift") < 0.1
    assert re.search(r"\d", page.locator("tbody tr").first.inner_text())
