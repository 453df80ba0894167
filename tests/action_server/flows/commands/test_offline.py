"""What is understood without a model: a table of messages, each with what it must come to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from action_server.flows.commands import offline
from action_server.flows.commands import values as value_reader
from action_server.flows.commands import words as word_reader
from action_server.flows.commands.command import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    HumanHandoff,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from action_server.flows.commands.generator import DialogueView, FlowView, SlotView
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.commands.words import words

BOOK, LIST, CANCEL = "book_appointment", "list_appointments", "cancel_appointment"
FLOWS = (
    FlowView(BOOK, "book an appointment", "Book a medical appointment for the user."),
    FlowView(LIST, "list your appointments", "Show the appointments that the user has booked."),
    FlowView(CANCEL, "cancel an appointment", "Cancel one of the user's appointments."),
)
KIND = ("appointment_type", "categorical", ("general", "specialist", "urgent"))


def slot(name: str, kind: str, values: tuple[Any, ...] = (), value: Any = None, flow: str = BOOK) -> SlotView:
    return SlotView(name, kind, "", value, values, (flow,))


def view(message: str, asked: str = "", active: str = "", kind: str | None = None) -> DialogueView:
    return DialogueView(
        message,
        flows=FLOWS,
        slots=(
            slot(*KIND, value=kind),
            slot("preferred_date", "text"),
            slot("confirmed", "bool"),
            slot("party_size", "float"),
            slot("toppings", "list"),
            slot("really", "bool", flow=CANCEL),
        ),
        active_flow=active,
        active_flow_slots=("appointment_type", "preferred_date"),
        asked_slot=asked,
    )


async def understood(seen: DialogueView) -> list[Command]:
    return list((await OfflineCommandGenerator().predict_commands(seen)).commands)


@pytest.mark.parametrize(
    ("message", "commands"),
    [
        ("I want to book an appointment", [StartFlow(BOOK)]),
        ("booking please", [StartFlow(BOOK)]),
        ("I want to bookk an apointment", [StartFlow(BOOK)]),
        ("I need to see someone urgently", [StartFlow(BOOK), SetSlot("appointment_type", "urgent")]),
        ("book a SPECIALIST appointment", [StartFlow(BOOK), SetSlot("appointment_type", "specialist")]),
        ("book or cancel", [Clarify((BOOK, CANCEL))]),
        ("show my appointments", [StartFlow(LIST)]),
        ("cancel my appointment", [StartFlow(CANCEL)]),
        ("appointments", [Clarify((BOOK, LIST, CANCEL))]),
        ("cancel", [StartFlow(CANCEL)]),
        ("hello", [ChitChat()]),
        ("Hi!", [ChitChat()]),
        ("I'd like to talk to a human", [HumanHandoff()]),
        ("say that again please", [RepeatBotMessages()]),
        ("what is the weather", [CannotHandle()]),
        ("no", [CannotHandle()]),
        ("?!", [CannotHandle()]),
        ("", [CannotHandle()]),
        ("Ärger mit dem Knie", [CannotHandle()]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_without_a_question(message: str, commands: list[Command]) -> None:
    """Flows by their own words, and by what their categories may hold."""
    assert await understood(view(message)) == commands


@pytest.mark.parametrize(
    ("asked", "message", "commands"),
    [
        ("appointment_type", "urgent", [SetSlot("appointment_type", "urgent")]),
        ("appointment_type", "It's quite urgent!", [SetSlot("appointment_type", "urgent")]),
        ("appointment_type", "a speciallist", [SetSlot("appointment_type", "specialist")]),
        ("appointment_type", "general or urgent", [CannotHandle()]),
        ("appointment_type", "tomorrow", [CannotHandle()]),
        ("preferred_date", "next Tuesday at 10", [SetSlot("preferred_date", "next Tuesday at 10")]),
        ("preferred_date", "  tomorrow ", [SetSlot("preferred_date", "tomorrow")]),
        ("preferred_date", "cancel", [CancelFlow()]),
        ("preferred_date", "no, never mind", [CancelFlow()]),
        ("preferred_date", "show my appointments", [StartFlow(LIST)]),
        ("preferred_date", "I'd rather not say", [SkipQuestion()]),
        ("confirmed", "yes please", [SetSlot("confirmed", True)]),
        ("confirmed", "Nope", [SetSlot("confirmed", False)]),
        ("confirmed", "yes and no", [CannotHandle()]),
        ("confirmed", "what does that mean", [CannotHandle()]),
        ("party_size", "four people", [SetSlot("party_size", 4)]),
        ("party_size", "twenty-five", [SetSlot("party_size", 25)]),
        ("party_size", "2.5", [SetSlot("party_size", 2.5)]),
        ("party_size", "-3", [SetSlot("party_size", -3)]),
        ("party_size", "2 or 3", [CannotHandle()]),
        ("party_size", "many", [CannotHandle()]),
        ("toppings", "cheese, ham and olives", [SetSlot("toppings", ["cheese", "ham", "olives"])]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_after_a_question(asked: str, message: str, commands: list[Command]) -> None:
    """The answer is meant for the slot that was asked for, unless it says something else."""
    assert await understood(view(message, asked, BOOK)) == commands


@pytest.mark.parametrize(
    "message", ["no, I meant specialist", "actually make it specialist", "specialist", "sorry, a specialist please"]
)
async def test_a_correction_while_something_else_is_asked(message: str) -> None:
    """A value of another category, not an answer to the question for a date."""
    seen = view(message, "preferred_date", BOOK, kind="general")

    assert await understood(seen) == [SetSlot("appointment_type", "specialist")]


async def test_what_is_already_so_is_no_correction() -> None:
    """The words then are the answer."""
    seen = view("a general one on Tuesday", "preferred_date", BOOK, kind="general")

    assert await understood(seen) == [SetSlot("preferred_date", "a general one on Tuesday")]


async def test_an_open_question_is_answered_though_a_flow_has_the_word() -> None:
    """Somebody may tell of a checking account where another flow checks a balance."""
    flows = (FlowView("check_balance", "check balance", ""), FlowView("report", "report a fault", ""))
    slots = (SlotView("details", "text", "", flows=("report",)), SlotView("account", "text", "", flows=("report",)))
    asked = DialogueView("checking", (), flows, slots, "report", ("details", "account"), "account")

    assert await understood(asked) == [SetSlot("account", "checking")]
    said = "I wanted to check my balance and it froze"
    assert await understood(replace(asked, message=said, asked_slot="details")) == [SetSlot("details", said)]
    assert await understood(replace(asked, message="check my balance")) == [StartFlow("check_balance")]


async def test_examples_of_a_trigger_start_its_flow() -> None:
    """Word by word before anything else, and as evidence otherwise."""
    flows = (
        FlowView("a", "first thing", "", ("my screen stays black", "no picture")),
        FlowView("b", "second thing", ""),
    )

    assert await understood(DialogueView("the screen is black", flows=flows)) == [StartFlow("a")]
    assert await understood(DialogueView("no picture", flows=flows)) == [StartFlow("a")]


async def test_the_name_of_a_flow_is_no_small_talk() -> None:
    """Nor a phrase for anything else."""
    flows = (FlowView("say_goodbye", "goodbye", ""),)

    assert await understood(DialogueView("Goodbye!", flows=flows)) == [StartFlow("say_goodbye")]


@pytest.mark.parametrize(
    ("message", "commands"),
    [
        ("sorry, I meant 6 people", [SetSlot("people", 6)]),
        ("change the size to small", [SetSlot("size", "small")]),
        ("change the street to Mill Lane please", [SetSlot("street", "Mill Lane")]),
        ("make that 4 people", [SetSlot("people", 4)]),
        ("no, I meant 3 people", [CannotHandle()]),
    ],
)
async def test_an_earlier_number_or_text_is_corrected(message: str, commands: list[Command]) -> None:
    """After a word that corrects; what is already so is no correction."""
    slots = (
        SlotView("people", "float", "number of people", 3, (), ("order",)),
        SlotView("size", "categorical", "", "large", ("small", "large"), ("order",)),
        SlotView("street", "text", "", "Oak Street", (), ("order",)),
        SlotView("outside", "bool", "", None, (), ("order",)),
    )
    flows = (FlowView("order", "order a table", ""),)

    assert await understood(DialogueView(message, (), flows, slots, "order", (), "outside")) == commands


async def test_it_says_why() -> None:
    """The words that decided, or what it would have needed."""
    because = (await OfflineCommandGenerator().predict_commands(view("I need to see someone urgently"))).because
    helpless = (await OfflineCommandGenerator().predict_commands(view("tomorrow", "appointment_type", BOOK))).because

    assert because == "book_appointment: “urgent” is a value of appointment_type"
    assert "one of general, specialist, urgent" in helpless


async def test_the_same_message_is_understood_the_same_way() -> None:
    """Whatever came before."""
    seen, rules = view("appointments"), OfflineCommandGenerator()

    assert {str(await rules.predict_commands(seen)) for _ in range(20)} == {str(await rules.predict_commands(seen))}


@pytest.mark.parametrize("flows", [10, 80])
async def test_the_words_of_a_flow_are_looked_for_once(flows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in each turn: with a thousand flows that was most of a turn's time."""
    views = [FlowView(f"order_{flows}_{n}", f"order thing{n}", f"Order thing{n} of {flows}.") for n in range(flows)]
    values = tuple(f"colour {n} of {flows}" for n in range(flows))
    slots = [SlotView("colour", "categorical", "the colour", values=values, flows=("order_1",))]
    understanding = OfflineCommandGenerator()
    await understanding.predict_commands(DialogueView("order thing3", flows=views, slots=slots))
    split: list[str] = []

    def count(text: str) -> list[str]:
        split.append(text)
        return words(text)

    for module in (offline, value_reader, word_reader):
        monkeypatch.setattr(module, "words", count)
    await understanding.predict_commands(DialogueView("thing5, please", flows=views, slots=slots))

    assert set(split) == {"thing5, please"}
