"""Validators and extractors run on threads, and one that goes wrong rejects its slot."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from rasa_sdk import Action, FormValidationAction, Tracker, ValidationAction
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from action_server.protocol.calls import Call
from action_server.runtime import services
from action_server.runtime.executor import Executor
from action_server.runtime.limits import Limits
from action_server.runtime.registry import Registry
from action_server.testing import make_tracker
from tests.engine_calls import decoded_call

LIMITS = Limits(sync_workers=4, max_domains=4)
LOOP_THREAD = threading.main_thread().name


def executor_of(*actions: Action | type[Action], services: services.Services | None = None) -> Executor:
    registry = Registry()
    for action in actions:
        registry.register_action(action)
    return Executor(registry, limits=LIMITS, services=services)


class ValidateParty(FormValidationAction):
    """A form as people write it: synchronous validators, one of them relying on another."""

    def name(self) -> str:
        return "validate_party_form"

    def validate_size(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> dict[str, Any]:
        return {"size": int(value), "thread": threading.current_thread().name}

    async def validate_day(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> dict[str, Any]:
        return {"day": f"{value} for {tracker.get_slot('size')} on {threading.current_thread().name}"}

    def validate_bad(self, value: Any, dispatcher: Any, tracker: Tracker, domain: Any) -> Any:
        return "not a dict"


FORM = {"forms": {"party_form": {"required_slots": ["size", "day", "bad", "unchecked"]}}}


def form_call(**candidates: Any) -> Call:
    return decoded_call("validate_party_form", candidates, domain=FORM, said="a party")


def slots_of(answer: Any) -> dict[str, Any]:
    return {event["name"]: event["value"] for event in answer.events}


async def test_synchronous_validators_run_on_threads_and_async_ones_on_the_loop() -> None:
    """Each validator sees what the one before it decided, as with rasa-sdk."""
    answer = await executor_of(ValidateParty).run(form_call(size="4", day="friday"))

    slots = slots_of(answer)
    assert slots["size"] == 4
    assert slots["thread"].startswith("sync-action")
    assert slots["day"] == f"friday for 4 on {LOOP_THREAD}"


async def test_candidates_that_are_not_required_or_not_checked_are_treated_as_by_rasa_sdk() -> None:
    """Not required: left out. No validator: kept as it is."""
    answer = await executor_of(ValidateParty).run(form_call(unchecked=1, other=2))

    assert slots_of(answer) == {"unchecked": 1}


async def test_overrides_that_call_super_get_the_threads_too() -> None:
    """Authors override the dispatching methods; what they call is ours."""

    class Overriding(ValidateParty):
        def name(self) -> str:
            return "validate_party_form"

        async def get_validation_events(self, *args: Any) -> list[Any]:
            return [*await super().get_validation_events(*args), SlotSet("overridden", True)]

    answer = await executor_of(Overriding).run(form_call(size="4"))

    slots = slots_of(answer)
    assert slots["overridden"] is True
    assert slots["thread"].startswith("sync-action")


async def test_synchronous_extractors_run_on_threads() -> None:
    """`extract_<slot>` of a validation action; one that returns no dict extracts nothing."""

    class Extracting(ValidationAction):
        async def required_slots(self, domain_slots: Any, *_: Any) -> Any:
            return ["thread", "nothing", "no_extractor"]

        def extract_thread(self, *_: Any) -> dict[str, Any]:
            return {"thread": threading.current_thread().name}

        def extract_nothing(self, *_: Any) -> None:
            return None

        def validate_thread(self, value: str, *_: Any) -> dict[str, Any]:
            return {"thread": value.partition("_")[0]}

    domain: dict[str, Any] = {"slots": {"thread": {}, "nothing": {}, "no_extractor": {}}}
    call = decoded_call("action_validate_slot_mappings", domain=domain)

    answer = await executor_of(Extracting).run(call)

    assert slots_of(answer) == {"thread": "sync-action"}


async def test_outside_of_a_server_rasa_sdks_own_validation_runs() -> None:
    """A unit test that awaits `run` itself gets exactly what it got before."""
    executor_of()
    tracker = make_tracker({"size": "4"})

    events = await ValidateParty().run(CollectingDispatcher(), tracker, FORM)

    assert {e["name"]: e["value"] for e in events} == {"size": 4, "thread": LOOP_THREAD}


async def test_outside_of_a_server_rasa_sdks_own_extraction_runs() -> None:
    """The same for extractors."""

    class Extracting(ValidationAction):
        def extract_thread(self, *_: Any) -> dict[str, Any]:
            return {"thread": threading.current_thread().name}

    executor_of()
    tracker = make_tracker()

    events = await Extracting().run(CollectingDispatcher(), tracker, {"slots": {"thread": {}}})

    assert {e["name"]: e["value"] for e in events} == {"thread": LOOP_THREAD}


class Returning(FormValidationAction):
    """A form whose validator returns what a test says."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def name(self) -> str:
        return "validate_party_form"

    def validate_size(self, *_: Any) -> Any:
        return self._found

    def extract_day(self, *_: Any) -> Any:
        return self._found


LISTED = [SlotSet("size", 4), SlotSet("day", "friday")]


@pytest.mark.parametrize("found", [LISTED, tuple(LISTED), {"size": LISTED[0], "day": "friday"}, [LISTED]])
async def test_a_validator_may_return_events(found: object, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise the slot would be emptied each time, and the form ask for ever; one line says what was found."""
    answer = await executor_of(Returning(found)).run(form_call(size="4"))

    assert slots_of(answer) == {"size": 4, "day": "friday"}
    (line,) = [r for r in caplog.records if r.msg == "slot.repaired" and vars(r)["slot"] == "size"]
    assert vars(line)["found"] == type(found).__name__


async def test_a_validator_that_returns_one_event_sets_no_slots_of_its_keys() -> None:
    """An event is a dict, and `event`, `timestamp`, `name` and `value` are no slots."""
    answer = await executor_of(Returning(SlotSet("size", 4))).run(form_call(size="4"))

    assert slots_of(answer) == {"size": 4}


async def test_a_validator_that_returns_nothing_has_not_accepted_the_value() -> None:
    """A forgotten `return` is no check."""
    answer = await executor_of(Returning(None)).run(form_call(size="4"))

    assert slots_of(answer) == {"size": None}


async def test_a_number_that_is_none_leaves_a_validator_as_null() -> None:
    """As from any action."""
    answer = await executor_of(Returning({"size": float("nan")})).run(form_call(size="4"))

    assert slots_of(answer) == {"size": None}
