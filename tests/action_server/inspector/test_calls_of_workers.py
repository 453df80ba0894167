"""`run --dev` shows the calls of all of its workers, to a browser of this machine and to nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_server.inspector.inspected import ACTIONS, Inspected, inspected, make_bot

EVIL = "<script>alert(1)</script>\x1b[31m\u202e{{7*7}}"


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bot(tmp_path_factory.mktemp("inspected"))


@pytest.fixture(scope="module")
def dev(bot: Path) -> Iterator[Inspected]:
    with inspected(bot, "--dev", "--workers", "2") as found:
        yield found


def test_calls_of_both_workers_are_in_one_list(dev: Inspected) -> None:
    workers: set[str] = set()
    for number in range(200):
        dev.call("action_weather", f"many-{number}", city="Bern")
        if number % 20 == 19:
            dev.newest(f"many-{number}")
            workers |= set(re.findall(r'class="worker wide">(\d+)<', dev.rows(q="many-").text))
        if len(workers) == 2:
            return
    raise AssertionError(f"only calls of {workers}")


def test_a_call_shows_what_it_changed_and_said_and_where_it_failed(dev: Inspected) -> None:
    dev.call("action_weather", "fine", city="Bern", forecast=None)
    fine = dev.ask(f"/inspector/calls/{dev.newest('fine')}")
    dev.call("action_weather", "broken", city="Atlantis")
    broken = dev.ask(f"/inspector/calls/{dev.newest('broken', failed='1')}")

    assert 'forecast null "sun"' in fine.shown
    assert "1 slots stayed as they were" in fine.shown
    assert "Sun in Bern" in fine.shown
    assert "looking for Bern" in fine.shown
    assert '<a href="https://a.example/1"' in fine.text
    line = next(n for n, text in enumerate(ACTIONS.splitlines(), 1) if "raise ValueError" in text)
    assert f"Your line: actions/__init__.py:{line}" in broken.shown
    assert re.search(rf'href="vscode://file/[^"]*/actions/__init__.py:{line}"', broken.text)
    assert "ValueError: Atlantis is under water" in broken.shown
    assert "looking for Atlantis" in broken.shown
    assert "Error id" in broken.shown


def test_calls_are_found_by_their_names(dev: Inspected) -> None:
    dev.call("action_weather", "search-ok", city="Bern")
    dev.call("action_weather", "search-bad", city="Atlantis")
    dev.newest("search-ok")
    number = dev.newest("search-bad")
    page = dev.ask(f"/inspector/calls/{number}").shown
    error_id = re.search(r"Error id (\w+)", page)
    request_id = re.search(r"Request id (\w+)", page)

    assert error_id is not None
    assert request_id is not None
    assert re.findall(r"calls/(\d+)", dev.rows(q=error_id[1]).text) == [str(number)]
    assert re.findall(r"calls/(\d+)", dev.rows(q=request_id[1]).text) == [str(number)]
    assert re.findall(r"calls/(\d+)", dev.rows(q="search-", failed="1").text) == [str(number)]
    assert "calls/" not in dev.rows(q="search_").text
    assert "action_echo" not in dev.rows(action="action_weather").shown


def test_what_is_no_call_is_seen_as_well(dev: Inspected) -> None:
    dev.call("action_unknown", "lost")

    assert "action_unknown" in dev.ask(f"/inspector/calls/{dev.newest('lost')}").shown


def test_hostile_values_are_text(dev: Inspected) -> None:
    dev.call("action_echo", EVIL, text=EVIL, **{EVIL: EVIL})
    dev.call("action_echo", "large", text="x" * 1_000_000)
    number = dev.newest("alert(1)")
    pages = [dev.ask(f"/inspector/calls/{number}"), dev.ask(f"/inspector/?q={'alert(1)'}")]
    large = dev.ask(f"/inspector/calls/{dev.newest('large')}")

    for page in pages:
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "\x1b" not in page.text
        assert "\u202e" not in page.text
        assert "{{7*7}}" in page.text
    assert large.status == 200
    assert len(large.text) < 300_000


def test_pages_run_nothing_but_files_of_the_server(dev: Inspected) -> None:
    page = dev.ask("/inspector/")
    files = re.findall(r'(?:src|href)="(/inspector/static/[^"]+)"', page.text)

    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://", page.text)
    assert len(files) == 5
    assert {dev.ask(file).status for file in files} == {200}
    assert dev.ask("/inspector/static/../guard.py").status == 404
    assert dev.ask("/inspector/static/htmx.LICENSE").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"X-Forwarded-For": "1.2.3.4"},
    ],
)
def test_other_pages_get_nothing(dev: Inspected, headers: dict[str, str]) -> None:
    assert dev.ask("/inspector/rows", headers=headers).status == 403
    assert dev.ask("/inspector/live", headers=headers).status == 403


def test_a_link_from_elsewhere_may_be_followed(dev: Inspected) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert dev.ask("/inspector/", headers=headers).status == 200


def test_calls_are_there_after_a_restart(bot: Path, dev: Inspected) -> None:
    dev.call("action_weather", "kept-call", city="Bern")
    number = dev.newest("kept-call")
    with inspected(bot, "--dev") as anew:
        assert "Sun in Bern" in anew.ask(f"/inspector/calls/{number}").shown
        # An open stream keeps no server from stopping.
        news = anew.news()
        next(news)
        assert anew.running.stop() == 0


def test_there_is_nothing_without_it(bot: Path, dev: Inspected) -> None:
    """No page, no module, no thread, no note of a call: there is nothing that could cost a call anything."""
    with inspected(bot) as plain:
        assert plain.ask("/inspector/").status == 404
        assert json.loads(plain.call("action_loaded").text)["responses"][0]["text"] == "nothing"
        assert "pages" not in plain.running.log[-1]

    loaded = json.loads(dev.call("action_loaded").text)["responses"][0]["text"]
    assert "action_server.inspector.watching" in loaded
    assert "inspector, a watched call" in loaded


def test_it_says_where_it_is(dev: Inspected) -> None:
    ready = next(line for line in dev.running.log if line["event"] == "server.ready")

    assert ready["pages"] == f"{dev.running.url}/inspector"
    assert dev.ask("/inspector").status == 200
