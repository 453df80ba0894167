"""`action-server chat`, through a pipe."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from action_server.errors import SettingsError
from action_server.flows.session.greeting import COMMANDS
from tests.action_server.flows.cafe import Cafe, open_cafe
from tests.processes import ROOT


@pytest.fixture
def cafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    return open_cafe(tmp_path, monkeypatch)


def test_a_piped_conversation_is_a_transcript(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing prompts, nothing is coloured, and what actions print stays out of it."""
    code = cafe.chat("order a drink\n\n  tea \nno\n")

    printed = capsys.readouterr()
    assert code == 0
    assert printed.out.splitlines()[:7] == [
        "you: order a drink",
        "bot: What would you like?",
        "     [1] Tea   [2] Coffee",
        "you: tea",
        "bot: tea number 1 for you",
        "bot: Enjoy!",
        "bot: Is there something else you need?",
    ]
    assert "\x1b" not in printed.out
    assert "a print of the action" in printed.err


def test_a_number_clicks_a_button(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """One that no button has is said to the assistant."""
    cafe.chat("order a drink\n3\n2\n")

    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("bot: Sorry, I did not understand")
    assert lines[lines.index("you: 2") :][:3] == [
        "you: 2",
        "     (Coffee: /SetSlots(drink=coffee))",
        "bot: coffee number 1 for you",
    ]


def test_the_chat_has_commands_of_its_own(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """They are not said to the assistant, and /quit ends the conversation."""
    code = cafe.chat("/slots\norder a drink\n/stack\ntea\n/slots\n/restart\n/slots\n/stack\n/help\n/quit\ntea\n")

    said = capsys.readouterr().out
    lines = said.splitlines()
    assert code == 0
    assert lines[:2] == ["you: /slots", "  no slot has a value"]
    after = lines.index("you: /stack")
    assert [line.split()[0] for line in lines[after + 1 : after + 3]] == ["pattern_collect_information", "order_drink"]
    assert said.count("  served = true") == 1
    assert lines[lines.index("you: /restart") + 1 :][:5] == [
        "  a new conversation",
        "you: /slots",
        "  no slot has a value",
        "you: /stack",
        "  no flow runs",
    ]
    assert lines[-1] == "you: /quit"


def test_who_asks_what_it_can_do_is_told(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """The assistant has no answer of its own: its flows are listed, as by /flows."""
    cafe.chat("what can you do?\nCan you help me?\n/flows\n")

    lines = capsys.readouterr().out.splitlines()
    offered = [line for line in lines if line.startswith("  - ")]
    assert offered[0].startswith("  - order a drink")
    assert offered == offered[: len(offered) // 3] * 3


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/foo", "  there is no command /foo and no intent foo; /help lists all"),
        ("/slot", "  there is no command /slot and no intent slot; did you mean '/slots'?; /help lists all"),
    ],
)
def test_a_command_that_is_none_is_not_said_to_the_assistant(
    cafe: Cafe, capsys: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    """It would answer that it did not understand; an intent, and a payload of a button, are said to it."""
    cafe.chat(f"{typed}\n/SetSlots(drink=tea)\n/session_start\n/stop\norder a drink\n")

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [f"you: {typed}", said, "you: /SetSlots(drink=tea)"]
    assert lines[-1] == "you: /stop"


def test_a_classic_project_is_called_one(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """It cannot be played, and what can be done with it is said."""
    (cafe.folder / "data" / "flows.yml").unlink()
    cafe.write("domain.yml", "intents: [greet]\n")

    with pytest.raises(SettingsError, match="it is a classic one, of intents, stories and rules"):
        cafe.chat("hello\n")
    assert ":0" not in capsys.readouterr().err


def test_a_mantle_project_is_called_one(cafe: Cafe) -> None:
    """It has skills where others have flows."""
    (cafe.folder / "data" / "flows.yml").unlink()
    cafe.write("agent.yml", "agent: {language: en}\n")
    cafe.write("skills/pay/skill.md", "# Pay\n")

    with pytest.raises(SettingsError, match=r"it is a Mantle project, .*tools --for mantle"):
        cafe.chat("hello\n")


def test_explain_shows_why(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """What was understood, the steps with their places, the condition that decided, the call and its log lines."""
    cafe.chat("order a drink\ntea\n", "--explain")

    said = capsys.readouterr().out
    tea = said[said.index("you: tea") :].splitlines()
    assert '  understood: set drink to "tea"' in tea
    assert "    because: answers the question for drink (categorical)" in tea
    assert "    serve  action action_serve  data/flows.yml:10" in tea
    assert "      if slots.served: true; slots.served = true, goes to thank" in tea
    call = next(n for n, line in enumerate(tea) if "call action_serve" in line)
    assert re.fullmatch(r"      call action_serve: 200 in [\d.]+ ms, asked for the domain first", tea[call])
    assert tea[call + 1 : call + 3] == ["        slot served: null -> true", "        log INFO cafe: serving"]
    assert tea.index("bot: Enjoy!") > tea.index("  slots: served null -> true")


def test_a_failing_action_is_shown_and_the_conversation_goes_on(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """With the error id of the answer, and the line of the log that has it."""
    code = cafe.chat("pay the bill\norder a drink\n")

    said = capsys.readouterr().out
    assert code == 0
    assert "! data/flows.yml:22: the action 'action_pay' failed with status 500" in said
    assert re.search(
        r"! log ERROR action\.failed action=action_pay error_id=\S+: ValueError: the till is stuck at cafe_\w+\.py:\d+",
        said,
    )
    assert "bot: Sorry, something went wrong. Please try again in a few minutes." in said
    assert said.rstrip().endswith("[1] Tea   [2] Coffee")


def test_what_cannot_be_played_is_said_and_the_conversation_goes_on(
    cafe: Cafe, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code tells that something is missing."""
    code = cafe.chat("search the menu\norder a drink\n")

    said = capsys.readouterr().out
    assert code == 1
    assert "error: data/flows.yml:29: action_back belongs to the policies" in said
    assert "bot: What would you like?" in said


def test_json_is_an_object_for_each_turn(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is printed."""
    cafe.chat("order a drink\ntea\npay the bill\nsearch the menu\n/slots\n", "--json")

    turns = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [turn.get("user") for turn in turns] == ["order a drink", "tea", "pay the bill", "search the menu", None]
    assert turns[0]["commands"] == [{"command": "start_flow", "flow": "order_drink"}]
    assert turns[0]["bot"][0]["buttons"][0]["title"] == "Tea"
    assert turns[1]["slots"]["served"] == [None, True]
    assert [call["action"] for call in turns[1]["calls"]] == ["action_serve"]
    assert turns[1]["calls"][0]["logs"] == [{"level": "INFO", "logger": "cafe", "message": "serving"}]
    assert {"if": "slots.served", "value": True, "values": {"slots.served": True}, "error": "", "goes_to": "thank"} in [
        decision for step in turns[1]["steps"] for decision in step["decisions"]
    ]
    assert turns[2]["failed_calls"][0]["problem"] == "ValueError: the till is stuck"
    assert turns[3]["error"].startswith("data/flows.yml:29: ")
    assert turns[4] == {"command": ["served = true"]}


def test_an_assistant_may_speak_first(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """What a session begins with is shown before the first message."""
    domain = cafe.folder / "domain.yml"
    domain.write_text(domain.read_text().replace("[action_serve", "[action_session_start, action_serve"))
    with (cafe.folder / f"{cafe.actions}.py").open("a") as file:
        file.write(
            "\nclass Start(Action):\n    def name(self):\n        return 'action_session_start'\n\n"
            "    def run(self, dispatcher, tracker, domain):\n        dispatcher.utter_message(text='Welcome!')\n"
            "        return [{'event': 'session_started'}]\n"
        )

    cafe.chat("order a drink\n")

    assert capsys.readouterr().out.splitlines()[:2] == ["bot: Welcome!", "you: order a drink"]


def test_a_script_understands(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """By the number of the message, or by its words; a message too many is an error."""
    script = cafe.write(
        "script.yml",
        """
        turns:
          - [{start_flow: order_drink}]
          - [{set_slot: {drink: coffee}}, cancel_flow]
        messages:
          "the usual": [{start_flow: order_drink}, {set_slot: {drink: tea}}]
          "which": [{clarify: [order_drink, pay_bill]}]
        """,
    )

    code = cafe.chat("bonjour\nle thé\nthe usual\nwhich\nencore\n", "--understand", "scripted", str(script))

    said = capsys.readouterr().out
    assert code == 1
    assert "bot: All right, I have stopped order a drink." in said
    assert "bot: tea number 1 for you" in said
    assert "bot: Which of these do you mean: order a drink or pay the bill?" in said
    assert "error: the script has no commands for the message 'encore'" in said


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--understand", "magic"], "--understand: 'magic' is none of offline, llm and scripted FILE"),
        (["--understand", "scripted"], "--understand: 'scripted' is none of"),
        (["--understand", "offline", "hello"], "hello: is nothing that can be said: pipe messages in"),
        (["--understand", "llm"], "model_groups: there is no group with a model"),
        (["--set", "port=1"], "--set: is not services.NAME=VALUE"),
        (["--set", "services.x"], "--set: is not services.NAME=VALUE"),
        (["--url", "http://localhost:1/webhook", "--header", "secret"], "--header: is not NAME:VALUE"),
    ],
)
def test_a_wrong_flag_is_refused(cafe: Cafe, flags: list[str], problem: str) -> None:
    """In one line, which names the flag and repeats no value that may be a credential."""
    with pytest.raises(SettingsError) as raised:
        cafe.chat("hi\n", *flags)

    assert problem in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_setting_that_no_service_reads_does_not_start(cafe: Cafe, tmp_path: Path) -> None:
    """A typing error would book in the database that the file names, which people use."""
    with pytest.raises(SettingsError) as error:
        cafe.chat("order a drink\ntea\n", "--set", f"services.bok.file={tmp_path}/mine")

    assert str(error.value) == "--set services.bok: no service reads it; did you mean services.book?"


def test_a_setting_of_the_services_wins_over_the_file(cafe: Cafe, tmp_path: Path) -> None:
    """So that a conversation can be held with data of one's own."""
    cafe.chat("order a drink\ntea\n", "--set", f"services.book.file={tmp_path}/mine")
    cafe.chat("order a drink\ntea\n", "--set", f"services.book.file={tmp_path}/mine")

    assert (tmp_path / "mine").read_text() == "xx"


def test_no_server_at_the_url_is_shown(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """An engine would go on with its pattern for errors, and so does the conversation."""
    code = cafe.chat("order a drink\ntea\n", "--url", "http://127.0.0.1:9/webhook")

    said = capsys.readouterr().out
    assert code == 0
    assert "the action 'action_serve' cannot be called: no action server answers at http://127.0.0.1:9/webhook" in said
    assert "bot: Sorry, something went wrong." in said


def test_what_is_wrong_with_the_project_is_said(cafe: Cafe, capsys: pytest.CaptureFixture[str]) -> None:
    """With file and line; what can be read is played. A folder without flows is refused."""
    cafe.write("data/more.yml", "flows:\n  broken:\n    steps:\n      - colect: drink\n")

    cafe.chat("order a drink\n")

    printed = capsys.readouterr()
    assert "data/more.yml:4" in printed.err
    assert "bot: What would you like?" in printed.out
    (cafe.folder / "data" / "flows.yml").unlink()
    (cafe.folder / "data" / "more.yml").unlink()
    with pytest.raises(SettingsError, match="has no flows that can be read"):
        cafe.chat("order a drink\n")


def test_bytes_that_are_no_text_and_characters_a_terminal_lacks_do_no_harm(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transcript has a question mark for what cannot be shown."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii", write_through=True))
    stdin = io.TextIOWrapper(io.BytesIO("order a drink\nth\xe9\n".encode("latin-1")), encoding="utf-8")
    monkeypatch.setattr("tests.action_server.flows.cafe.io.StringIO", lambda said: stdin)

    code = cafe.chat("")

    assert code == 0
    assert b"you: th?" in out.getvalue()


def test_the_page_has_each_command() -> None:
    """What `/help` lists."""
    table = (
        (ROOT / "docs/howto/chat.md").read_text(encoding="utf-8").partition("## What you type")[2].partition("\n## ")[0]
    )

    assert set(COMMANDS) | {"/stop"} <= set(re.findall(r"/[a-z]+", table))
