"""The kit runs actions by the server's own road, and says what they did."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from action_server.errors import LoadError, SettingsError
from action_server.testing import ActionClient, webhook_request
from tests.action_server.testing.guest_project import guest_project
from tests.projects import project

FACES = ("webhook", "grpc", "mcp")
PAYLOADS = Path(__file__).parents[2] / "contract" / "payloads"


def menu(dish: str) -> tuple[type, Any]:
    """The project's service type, and a fake of it."""
    kind: type = sys.modules["actions"].Menu
    return kind, type("FakeMenu", (), {"dish": lambda self: dish})()


@pytest.mark.parametrize("face", FACES)
async def test_an_action_is_called_and_its_answer_read(guests: ActionClient, face: str) -> None:
    """Slots, texts, the follow-up and the time, over each face."""
    result = await guests.call("action_count_guests", slots={"guests": 3}, face=face)

    assert (result.slots, result.followup, result.rejected) == ({"guests": 4}, "action_ask_dish", False)
    assert 0 < result.duration < 60
    assert result.status == 200
    assert [event["event"] for event in result.events] == ["slot", "followup"]
    result.sets(guests=4).keeps_contract()


async def test_a_tools_call_has_what_a_client_can_say(guests: ActionClient) -> None:
    """Slots that are its arguments, and nothing of a turn; an action that is about one can be no tool."""
    with pytest.raises(KeyError, match="intent"):
        await guests.call("action_say", said="hello", intent="greet", face="mcp")
    with pytest.raises(SettingsError, match="so it can be no tool"):
        await guests.call("validate_party_form", face="mcp")


async def test_calls_over_mcp_at_the_same_time_are_told_apart(guests: ActionClient) -> None:
    """One that fails is not taken for one that answers."""
    calls = [guests.call(name, face="mcp", raises=False) for name in ("action_fail", "action_once", "action_reject")]

    assert [result.status for result in await asyncio.gather(*calls)] == [500, 200, 400]


async def test_what_runs_once_runs_once_over_all_faces(guests: ActionClient) -> None:
    """A conversation of a tool's client is one like any other."""
    talk = guests.conversation()

    answers = [await talk.call("action_once", face=face) for face in ("mcp", "mcp")]

    assert [answer.slots for answer in answers] == [{"guests": 1}] * 2


def test_a_test_need_not_be_async(guests: ActionClient) -> None:
    """The same call, waited for; a slot has the value its domain gives it."""
    assert guests.call_sync("action_count_guests").slots == {"guests": 3}


async def test_the_turn_is_what_the_test_says(guests: ActionClient) -> None:
    """Message, intent, channel, form and stack are where an action looks for them."""
    stack = [{"frame_id": "1", "flow_id": "book", "step_id": "1", "frame_type": "regular", "type": "flow"}]

    result = await guests.call(
        "action_say", said="hello", intent="greet", channel="slack", active_form="party_form", stack=stack
    )

    assert result.texts == ["hello, greet, slack, party_form", "book"]


async def test_a_forms_candidates_are_validated(guests: ActionClient) -> None:
    """The slots of the call are what a validation action finds to validate."""
    few = await guests.call("validate_party_form", slots={"guests": 4}, active_form="party_form")
    many = await guests.call("validate_party_form", slots={"guests": 40}, active_form="party_form")

    assert (few.slots["guests"], many.slots["guests"]) == (4, None)


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"gests": 3}, "slot 'gests': is not in the domain; did you mean 'guests'?"),
        ({"colour": 3}, "slot 'colour': is not in the domain; it has "),
    ],
    ids=["one that is nearly right", "another one"],
)
async def test_a_slot_that_the_domain_lacks_is_refused(guests: ActionClient, slots: dict[str, Any], said: str) -> None:
    """Nobody would read it; the nearest name is shown."""
    with pytest.raises(SettingsError) as refused:
        await guests.call("action_say", slots=slots)

    assert said in str(refused.value)


async def test_a_form_that_the_domain_lacks_is_refused(guests: ActionClient) -> None:
    """An action that looks at it would take it for none; no form at all is one, too."""
    with pytest.raises(SettingsError, match=r"'party_from'.* is not in the domain; did you mean 'party_form'"):
        await guests.call("validate_party_form", slots={"guests": 4}, active_form="party_from")
    assert (await guests.call("action_say", active_form="")).status == 200


def test_the_place_of_a_validation_action_is_its_authors_class(guests: ActionClient) -> None:
    """Its `run` is rasa-sdk's, where nobody looks for a mistake."""
    result = guests.call_sync("validate_party_form", slots={"guests": 4}, active_form="party_form")

    with pytest.raises(AssertionError, match=r"^validate_party_form \(.*actions\.py:\d+\) sets the slot"):
        result.sets(guests=5)


def test_where_a_package_was_looked_for_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's folder, whatever stands before it in the path; and that it is in src, where nothing looks."""
    project(folder, {"src/bot/__init__.py": "", "endpoints.yml": "action_server: {actions: bot}"})
    monkeypatch.setattr(sys, "path", [str(folder / "tests"), *sys.path, str(folder)])

    with ActionClient(folder) as client, pytest.raises(LoadError) as failed:
        client.call_sync("action_x")

    assert "looked in . and the installed packages; it is in src: " in str(failed.value)


async def test_a_misspelt_action_and_face_are_refused(guests: ActionClient) -> None:
    """With the name that may have been meant."""
    with pytest.raises(SettingsError, match="did you mean 'action_count_guests'"):
        await guests.call("action_count_guest")
    with pytest.raises(SettingsError, match="did you mean 'grpc'"):
        await guests.call("action_say", face="gprc")


@pytest.mark.parametrize("face", FACES)
async def test_a_failure_is_raised_as_the_author_raised_it(guests: ActionClient, face: str) -> None:
    """With its traceback; or, if the test wants that, the answer an engine gets."""
    with pytest.raises(KeyError, match="hunter2"):
        await guests.call("action_fail", face=face)

    result = await guests.call("action_fail", face=face, raises=False)

    assert result.status == 500
    assert "hunter2" not in result.error
    assert not result.rejected


@pytest.mark.parametrize("face", FACES)
async def test_a_rejection_is_an_answer(guests: ActionClient, face: str) -> None:
    """It is no failure of the test's."""
    result = await guests.call("action_reject", face=face)

    assert (result.rejected, result.error, result.events) == (True, "not now", [])


async def test_a_conversation_keeps_slots_and_events(guests: ActionClient) -> None:
    """Each call finds what the one before it left."""
    talk = guests.conversation(slots={"guests": 6})

    await talk.call("action_count_guests", said="one more")
    await talk.call("action_count_guests")

    assert talk.slots["guests"] == 8
    assert talk.followup == "action_ask_dish"
    names = [event["event"] for event in talk.events]
    assert names[3:] == ["slot", "user", *["action", "bot", "slot", "followup"] * 2]


def test_a_conversation_need_not_be_async(guests: ActionClient) -> None:
    """The same, waited for; two conversations know nothing of each other."""
    first, second = guests.conversation(), guests.conversation()

    first.call_sync("action_count_guests")

    assert (first.slots["guests"], second.slots["guests"]) == (3, 2)
    assert first.sender != second.sender


async def test_a_service_is_replaced_by_its_type(guests: ActionClient) -> None:
    """Before and after it was used; a function makes one on the actions' own loop."""
    before = await guests.call("action_ask_dish")
    kind, fake = menu("cake")
    guests.use(kind, fake)
    after = await guests.call("action_ask_dish")

    async def make() -> object:
        return menu("fish")[1]

    guests.use(kind, make)
    made = await guests.call("action_ask_dish", face="grpc")

    assert [r.responses[0]["dish"] for r in (before, after, made)] == ["soup", "cake", "fish"]


async def test_no_real_service_is_opened_if_the_test_says_so(folder: Path) -> None:
    """A package whose database is not there can be tested all the same."""
    guest_project(folder)
    text = (folder / "actions.py").read_text(encoding="utf-8")
    broken = text.replace("registry.register_value(Menu, Menu())", "raise OSError('no database')")
    (folder / "actions.py").write_text(broken, encoding="utf-8")
    with ActionClient(folder) as client:
        client.without_lifespan()
        client.call_sync("action_say")
        client.use(*menu("cake"))

        result = await client.call("action_ask_dish")

    assert result.responses[0]["dish"] == "cake"


async def test_a_fixed_clock_is_what_actions_read(guests: ActionClient) -> None:
    """Also its classes imported by name, and the times of events; it moves when the test says so."""
    with pytest.raises(SettingsError, match=r"set_clock\('soon'\): is no time, such as '2026-12-24T18:00:00'"):
        guests.set_clock("soon")
    clock = guests.set_clock("2026-12-24T18:30:00")
    first = await guests.call("action_when")
    clock.advance(timedelta(hours=6))
    talk = guests.conversation()
    second = await talk.call("action_when")

    assert first.texts == ["2026-12-24 18:30 2026-12-24 True"]
    assert second.texts == ["2026-12-25 00:30 2026-12-25 True"]
    assert {event["timestamp"] for event in talk.events} == {clock.time()}
    assert sys.modules["actions"].moment.__name__ == "datetime"


async def test_what_runs_once_runs_once_for_a_conversation_of_a_test(guests: ActionClient) -> None:
    """Its store is the test's own; the contract asks for the repeat, which gets the same answer."""
    first = await guests.call("action_once")
    second = await guests.call("action_once")

    first.keeps_contract()

    assert (first.slots, second.slots) == ({"guests": 1}, {"guests": 2})
    assert sys.modules["actions"].ActionOnce.count == 2


async def test_a_tracker_is_read_from_whatever_engines_write(guests: ActionClient, folder: Path) -> None:
    """An export, a request, a captured exchange, a list of events; slots of the call come on top."""
    export = {"sender_id": "ann", "slots": {"guests": 7}, "events": [{"event": "slot", "name": "guests", "value": 7}]}
    (folder / "export.json").write_text(json.dumps(export), encoding="utf-8")
    (folder / "events.json").write_text(json.dumps(export["events"]), encoding="utf-8")
    request = {**webhook_request("action_x"), "tracker": export}
    sources: list[Any] = ["export.json", folder / "events.json", request, {"request_body": request}]

    found = [(await guests.call("action_count_guests", tracker=source)).slots["guests"] for source in sources]
    on_top = await guests.call("action_count_guests", tracker=export, slots={"guests": 1})

    assert found == [8, 8, 8, 8]
    assert on_top.slots == {"guests": 2}


async def test_a_captured_exchange_of_an_engine_is_a_tracker(guests: ActionClient) -> None:
    """With the message that was said."""
    captured = PAYLOADS / "classic_rules" / "025_action_validate_slot_mappings.json"
    said = json.loads(captured.read_text(encoding="utf-8"))["request_body"]["tracker"]["latest_message"]["text"]

    result = await guests.call("action_say", tracker=captured)

    assert result.texts[0].startswith(f"{said}, ")


@pytest.mark.parametrize("source", ["nothing.json", {"colour": "red"}], ids=["no file", "no tracker"])
async def test_what_is_no_tracker_is_refused(guests: ActionClient, source: Any) -> None:
    """In a sentence."""
    with pytest.raises(SettingsError, match=r"^tracker: "):
        await guests.call("action_say", tracker=source)


async def test_a_stream_is_taken_and_interrupted(guests: ActionClient) -> None:
    """The action goes no further than the test asks; what it answers after an interruption is the result."""
    async with guests.stream("action_stream") as stream:
        assert [chunk["text"] for chunk in await stream.take(2)] == ["0 ", "1 "]
        result = await stream.interrupt()

    assert (stream.text, result.slots) == ("0 1 ", {"guests": 99})


async def test_a_stream_is_read_to_its_end(guests: ActionClient) -> None:
    """Its chunks one by one, then the answer."""
    async with guests.stream("action_stream") as stream:
        texts = [chunk["text"] async for chunk in stream]
        result = await stream.result()

    assert texts == ["0 ", "1 ", "2 ", "3 ", "4 "]
    result.sets(guests=5)


async def test_a_stream_that_fails_raises_what_the_author_raised(guests: ActionClient) -> None:
    """And one that is rejected is a result."""
    async with guests.stream("action_fail") as stream:
        with pytest.raises(KeyError):
            await stream.result()
    async with guests.stream("action_reject") as stream:
        assert (await stream.result()).rejected


def place(message: str) -> str:
    return re.sub(r"actions\.py:\d+", "actions.py:N", message)


async def test_an_assertion_shows_expected_actual_and_place(guests: ActionClient) -> None:
    """Of a wrong value, of a slot that was not set, of a text that was not said."""
    result = await guests.call("action_count_guests")
    shown = []
    assertions: tuple[Callable[[], object], ...] = (
        lambda: result.sets(guests=4),
        lambda: result.sets(gests=4),
        lambda: result.sets(),
        lambda: result.says("That makes 4."),
        lambda: result.says(re.compile("nothing")),
        lambda: result.says(),
    )
    for assertion in assertions:
        with pytest.raises(AssertionError) as failed:
            assertion()
        shown.append(place(str(failed.value)))

    who = "action_count_guests (actions.py:N)"
    assert shown == [
        f"{who} sets the slot 'guests' to another value\n  expected: 4\n  actual:   3",
        f"{who} does not set the slot 'gests'\n  expected: 4\n"
        "  actual:   not set; it sets guests; did you mean 'guests'?",
        f"{who} sets slots\n  expected: no slot\n  actual:   {{'guests': 3}}",
        f"{who} does not say it\n  expected: 'That makes 4.'\n  actual:   'That makes 3.'",
        f"{who} does not say it\n  expected: a text with 'nothing'\n  actual:   'That makes 3.'",
        f"{who} says something\n  expected: nothing\n  actual:   ['That makes 3.']",
    ]


async def test_an_assertion_about_a_failure_says_so(guests: ActionClient) -> None:
    """Why nothing was set stands below it: of a failure what was raised, and where."""
    failed = await guests.call("action_fail", raises=False)

    with pytest.raises(AssertionError, match="it rejected: not now"):
        (await guests.call("action_reject")).sets(guests=4)
    with pytest.raises(AssertionError, match=r"it failed: KeyError: 'hunter2' \(actions\.py:\d+\)$"):
        failed.sets(guests=4)


async def test_an_answer_that_breaks_the_contract_is_told_sentence_by_sentence(guests: ActionClient) -> None:
    """Names, types and numbers that the domain, the engine or gRPC do not take."""
    result = await guests.call("action_wrong")

    with pytest.raises(AssertionError) as failed:
        result.keeps_contract()

    message = str(failed.value)
    assert [line.partition(":")[0].strip() for line in message.splitlines()[2::2]] == [
        *("slots-fit", "slots-known", "responses-known", "followups-known", "same-over-faces")
    ]
    assert "Every slot that is set is a slot of the domain." in message
    assert "many" not in message


async def test_equal_answers_are_equal(guests: ActionClient) -> None:
    """Whatever time they took: what a snapshot holds is what was answered."""
    first = await guests.call("action_ask_dish")
    second = await guests.call("action_ask_dish", face="grpc")

    assert first == second
    assert "duration" not in repr(first)


def test_two_projects_in_one_process_are_two(tmp_path: Path, folder: Path) -> None:
    """Both have `actions` and a module of texts; each client has its own, however they take turns."""
    code = """
        from rasa_sdk import Action
        from texts import TEXT

        class Action{name}(Action):
            def name(self):
                return "action_{name}"

            def run(self, dispatcher, tracker, domain):
                dispatcher.utter_message(text=TEXT)
                return []
    """
    for name in ("first", "second"):
        files = {"actions.py": code.replace("{name}", name), "texts.py": f"TEXT = {name!r}", "endpoints.yml": "{}"}
        project(folder / name, files)

    with ActionClient(folder / "first") as first, ActionClient(folder / "second") as second:
        said = [first.call_sync("action_first").texts, second.call_sync("action_second").texts]
        names = [first.actions, second.actions]
    with ActionClient(folder / "first") as again:
        assert [*names, again.actions] == [["action_first"], ["action_second"], ["action_first"]]
    assert said == [["first"], ["second"]]


def test_an_argument_that_no_call_has_is_refused_with_the_nearest_one(guests: ActionClient) -> None:
    """By the name the author wrote, and none of the kit's own."""
    with pytest.raises(TypeError, match=r"a call has no argument 'chanel'; did you mean 'channel'\?"):
        guests.call_sync("action_count_guests", chanel="rest")
