"""Which actions are tools, and what they are called."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import BaseModel, Field, ValidationError, computed_field
from rasa_sdk import FormValidationAction
from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase
from rasa_sdk.knowledge_base.storage import KnowledgeBase

from action_server import action as typed_action
from action_server import mcp
from action_server.errors import SettingsError
from action_server.idempotency.rules import Idempotent
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.registry import Registry
from action_server.runtime.tool_options import McpSettings, ToolOptions
from action_server.tools.names import answer_key, argument_name, tool_name
from action_server.tools.offer import encode_listing, make_offer
from action_server.tools.shapes import Shape
from tests.action_server.tools.code_actions import ActionReads, ActionReadsWhatCannotBeSaid, ActionTyped
from tests.action_server.tools.offers import action, offer


class ValidatePartyForm(FormValidationAction):
    def name(self) -> str:
        return "check_party_form"


def test_what_is_about_a_turn_is_never_offered() -> None:
    """Whatever pattern it fits, and under whatever name."""
    turns = [action(name) for name in ("validate_city", "action_ask_city", "action_session_start")]

    assert list(offer(action("action_book"), *turns, ValidatePartyForm).tools) == ["action_book"]


def test_nothing_is_offered_unless_somebody_says_so() -> None:
    """By a name, a pattern, or a mark of the class, which its subclasses do not have."""
    marked = mcp(action("action_marked"))
    below = type("Below", (marked,), {"name": lambda _: "action_below"})
    actions = (action("action_a"), action("action_b"), marked, below)

    assert list(offer(*actions, settings=McpSettings()).tools) == ["action_marked"]
    assert list(offer(*actions, settings=McpSettings(actions=("*_a",))).tools) == ["action_a", "action_marked"]


@pytest.mark.parametrize("where", ["actions", "tools"])
@pytest.mark.parametrize(("name", "said"), [("action_bok", "action_book"), ("validate_x", "can be no tool")])
def test_a_name_that_can_be_no_tool_does_not_start(where: str, name: str, said: str) -> None:
    """A slip of the pen would offer nothing, silently."""
    settings = McpSettings.model_validate({where: [name] if where == "actions" else {name: {}}})

    with pytest.raises(SettingsError, match=said):
        offer(action("action_book"), action("validate_x"), settings=settings)


class ActionKnows(ActionQueryKnowledgeBase):
    def __init__(self) -> None:
        super().__init__(KnowledgeBase())

    def name(self) -> str:
        return "action_knows"


def test_a_search_of_the_last_message_is_never_offered() -> None:
    """It reads what was said, and a tool's call has no message."""
    assert list(offer(ActionKnows, action("action_x")).tools) == ["action_x"]


@pytest.mark.parametrize("pattern", ["action_[ab]", "action_?", "action_*", "action_a action_b"])
def test_patterns_and_lists_of_words_choose_actions(pattern: str) -> None:
    """A pattern may fit nothing; words may stand in one text."""
    settings = McpSettings.model_validate({"actions": pattern})

    assert list(offer(action("action_a"), action("action_b"), settings=settings).tools) == ["action_a", "action_b"]
    if " " not in pattern:
        assert not offer(action("other"), settings=settings).tools


def test_a_plain_name_says_more_than_a_pattern_wherever_it_stands() -> None:
    """And tools stand in the order of their own names."""
    plain, pattern = ("action_x", ToolOptions(name="zoo")), ("action_*", ToolOptions(name="ape"))
    for tools in (dict([plain, pattern]), dict([pattern, plain])):
        settings = McpSettings(actions=("*",), tools=tools)
        assert list(offer(action("action_x"), action("action_y"), settings=settings).tools) == ["ape", "zoo"]


def test_the_domain_says_what_authors_leave_open() -> None:
    """Descriptions of arguments and of slots in the answer, and the type of what may be anything."""
    slots = {name: {"type": "bool", "description": f"Which {name}"} for name in ("day", "done", "guest")}
    guest = {"anyOf": [{"description": "Who"}, {"type": "null"}]}
    options = ToolOptions(arguments={"properties": {"day": {}, "hour": {}, "guest": guest}}, sets=("done", "other"))
    settings = McpSettings(actions=("*",), tools={"*": options})

    [tool] = offer(action("action_x"), settings=settings, domain={"slots": slots}).tools.values()

    assert tool.input_schema["properties"]["day"] == {
        "anyOf": [{"type": "boolean"}, {"type": "null"}],
        "description": "Which day. True or false. Null if unknown.",
    }
    assert tool.input_schema["properties"]["guest"] == {
        "anyOf": [{"type": "boolean"}, {"type": "null"}],
        "description": "Who. True or false. Null if unknown.",
    }
    assert tool.output_schema["properties"]["done"] == {"description": "Which done"}


def test_a_tool_that_runs_once_may_be_asked_again() -> None:
    """The hint says so; what no conversation is asked for has no argument that stands for one."""
    registry = Registry()
    registry.register_action(action("action_book"))
    rule = Idempotent(key=("order",), within=timedelta(hours=1), scope="everyone")
    settings = McpSettings(actions=("*",), conversation_argument="email")

    [once] = make_offer(registry, settings, OptionsTable(ActionOptions(idempotent=rule), {})).tools.values()
    [usual] = make_offer(registry, settings, OptionsTable(ActionOptions(), {})).tools.values()

    assert once.listing["annotations"] == {"readOnlyHint": False, "idempotentHint": True}
    assert usual.listing["annotations"] == {"readOnlyHint": False, "idempotentHint": False}
    assert once.input_schema["properties"] == usual.input_schema["properties"] == {}


def test_the_root_of_a_schema_is_an_object_with_properties_and_nothing_else() -> None:
    """`required` only where there is something that nobody can do without."""
    arguments = {"properties": {"day": {"type": "boolean"}, "hour": {"type": "boolean"}}, "required": ["hour"]}
    settings = McpSettings(actions=("*",), tools={"action_b": ToolOptions(arguments=arguments)})

    plain, needing = offer(action("action_a"), action("action_b"), settings=settings).tools.values()

    said = {"anyOf": [{"type": "boolean"}, {"type": "null"}], "description": "True or false. Null if unknown."}
    assert plain.input_schema == {"type": "object", "properties": {}}
    assert needing.input_schema == {
        "type": "object",
        "properties": {"day": said, "hour": said},
        "required": ["hour"],
    }
    assert list(plain.listing) == ["name", "description", "inputSchema", "outputSchema", "annotations"]


def test_two_tools_of_one_name_do_not_start() -> None:
    """Clients would call one of them for the other."""
    with pytest.raises(SettingsError, match=r"'book now' and 'book\.now'"):
        offer(action("book.now"), action("book now"))


def test_two_slots_that_would_be_one_argument_do_not_start() -> None:
    """Neither may stand for the other."""
    settings = McpSettings(actions=("*",), tools={"*": ToolOptions(reads=("größe", "grosse"))})

    with pytest.raises(SettingsError, match="'grosse'"):
        offer(action("action_book"), settings=settings)


def test_two_slots_that_would_be_one_key_of_an_answer_do_not_start() -> None:
    """A slot called as one of the answer's own keys gets another name, which may be taken."""
    settings = McpSettings(actions=("*",), tools={"*": ToolOptions(sets=("result", "slot_result"))})

    with pytest.raises(SettingsError, match="'slot_result'"):
        offer(action("action_book"), settings=settings)


def test_many_tools_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Which says why."""
    offer(*(action(f"action_{number}") for number in range(41)))

    [line] = [r for r in caplog.records if r.message == "mcp.many_tools"]
    assert "clients stop at 40" in vars(line)["problem"]
    caplog.clear()
    offer(*(action(f"action_{number}") for number in range(40)))
    assert not caplog.records


def test_the_mark_and_the_settings_say_what_cannot_be_seen() -> None:
    """The settings have the last word, and a plain name says more than a pattern."""
    marked = mcp(name="book", description="Book it", reads=("day",), sets=("done",), read_only=True)(action("action_x"))
    tools = {"action_*": ToolOptions(description="By a pattern"), "action_x": ToolOptions(sets=("reference", "status"))}

    [tool] = offer(marked, settings=McpSettings(tools=tools)).tools.values()

    assert (tool.name, tool.description) == ("book", "By a pattern")
    assert list(tool.input_schema["properties"]) == ["day"]
    assert list(tool.sets) == ["reference", "status"]
    assert tool.listing["annotations"] == {"readOnlyHint": True, "idempotentHint": True}


class Secretive(BaseModel):
    reference: str
    token: str = Field("", exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def link(self) -> str:
        return f"/{self.reference}"


class Other(BaseModel):
    reason: str


@typed_action
def book_secretly(day: str) -> Secretive | Other:
    return Other(reason=day)


def test_an_answer_promises_what_a_result_sets() -> None:
    """Also what is computed, and not what is left out of it, of one class as of several."""
    one = action("action_book", __action_result__=Secretive)

    assert list(*(tool.sets for tool in offer(one).tools.values())) == ["reference", "link"]
    assert list(*(t.sets for t in offer(book_secretly.action_class).tools.values())) == ["reference", "reason", "link"]


def test_an_odd_name_of_a_slot_fits_on_both_ways() -> None:
    """As an argument and as a key of the answer; a key that says something else has another name."""
    settings = McpSettings(
        actions=("*",), tools={"*": ToolOptions(reads=("party size",), sets=("party size", "größe", "text", "Errörs"))}
    )

    [tool] = offer(action("action_book"), settings=settings).tools.values()

    assert list(tool.input_schema["properties"]) == ["party_size"]
    assert tool.sets == {"party size": "party_size", "größe": "grosse", "text": "slot_text", "Errörs": "Errors"}
    assert answer_key("éRROR".lower()) == "slot_error"


@pytest.mark.parametrize(("own", "tools", "seconds"), [(5, 20, 5), (None, 20, 20), (30, None, 8)])
def test_a_call_may_take_as_long_as_the_least_of_its_limits(
    own: float | None, tools: float | None, seconds: float
) -> None:
    """The action's own counts, too, wherever the time of a tool is shown."""
    registry = Registry()
    registry.register_action(action("action_book"))
    settings = McpSettings.model_validate({"actions": ["*"], **({"timeout": tools} if tools else {})})

    [tool] = make_offer(registry, settings, OptionsTable(ActionOptions(timeout=own), {})).tools.values()

    assert tool.patience == seconds
    settings = settings.model_copy(update={"tools": {"action_*": ToolOptions(timeout=40)}})
    [tool] = make_offer(registry, settings, OptionsTable(ActionOptions(timeout=own), {})).tools.values()
    assert tool.patience == min(40, own or 40)


class Parameters(BaseModel):
    day: str = Field(description="Which day")
    guests: int = Field(1, alias="größe")


class Result(BaseModel):
    reference: str
    result: int = 0


def test_the_argument_for_the_conversation_has_a_name_that_fits() -> None:
    """Also where it is the argument of a slot, which is not there twice then."""
    by_turn = ActionOptions(idempotent=Idempotent())
    registry = Registry()
    registry.register_action(action("action_book"))

    def names(reads: tuple[str, ...]) -> list[str]:
        settings = McpSettings(
            actions=("*",), conversation_argument="e-mail größe", tools={"*": ToolOptions(reads=reads)}
        )
        [tool] = make_offer(registry, settings, OptionsTable(by_turn, {})).tools.values()
        assert list(tool.input_schema["properties"]) == [a.name for a in tool.all_arguments]
        return list(tool.input_schema["properties"])

    assert names(()) == names(("e-mail größe",)) == ["e-mail_grosse"]


def test_a_name_leaves_room_for_that_of_the_server() -> None:
    """Clients put it before, and stop at 64."""
    assert ToolOptions(name="a" * 48).name == "a" * 48
    for name in ("a" * 49, "_a", "ä", "", "a.b", "a b", "aä", "a\n"):
        with pytest.raises(ValidationError, match="48 at most"):
            ToolOptions(name=name)


def test_values_that_are_written_alike_stand_there_once() -> None:
    """An enum has each text once, or strict clients refuse it; a call gets the first."""
    domain = {"slots": {"city": {"type": "categorical", "values": [1, "1", True, None, 2]}}}

    city = offer(ActionReads, domain=domain).tools["action_reads"].input_schema["properties"]["city"]

    assert city["anyOf"][0]["enum"] == ["1", "true", "2"]
    assert "One of: 1, true, 2." in city["description"]


def test_a_typed_function_brings_its_models() -> None:
    """As attributes of its class."""
    typed = action("action_book", __action_parameters__=Parameters, __action_result__=Result)

    [tool] = offer(typed).tools.values()

    assert {a.name: a.slot for a in tool.arguments} == {"day": "day", "grosse": "größe"}
    assert tool.input_schema["required"] == ["day"]
    assert tool.sets == {"reference": "reference", "result": "slot_result"}


def test_the_domain_types_what_the_code_reads() -> None:
    """What a class of slots says counts more."""
    cities = {"type": "categorical", "values": ["Ulm", True], "description": "Where"}
    domain = {"slots": {"city": cities, "kind": {"type": "bool"}}}

    found = offer(ActionReads, ActionTyped, domain=domain).tools

    city = found["action_reads"].input_schema["properties"]["city"]
    kind = found["action_typed"].input_schema["properties"]["kind"]
    size = found["action_typed"].input_schema["properties"]["party-size"]
    assert city["anyOf"][0] == {"type": "string", "enum": ["Ulm", "true"]}
    assert city["description"] == "Where. One of: Ulm, true. Null if unknown."
    assert kind["anyOf"][0] == {"type": "string", "enum": ["in", "out"]}
    assert size["description"].startswith("How many come. A whole number.")


def test_the_list_is_the_same_from_start_to_start() -> None:
    """Whatever the order in which actions are found."""
    first, second = offer(ActionReads, ActionTyped), offer(ActionTyped, ActionReads)

    assert encode_listing(first) == encode_listing(second)


def test_the_list_is_compact_json_in_utf_8() -> None:
    """Half a character, which no client could read, is none."""
    arguments = {"properties": {"day": {"type": "boolean", "description": "Über \ud83d"}}}
    settings = McpSettings(actions=("*",), tools={"*": ToolOptions(arguments=arguments)})

    found = encode_listing(offer(action("action_x"), settings=settings))

    [tool] = json.loads(found)
    assert tool["inputSchema"]["properties"]["day"]["description"].startswith("Über ?.")
    assert found.decode() == json.dumps([tool], ensure_ascii=False, separators=(",", ":"))


def test_what_cannot_be_said_of_a_slot_that_code_reads_is_left_open() -> None:
    """Nobody wrote its class for a tool; the others keep their types, and the domain may know more."""
    domain = {"slots": {"check": {"type": "bool", "description": "Whether"}}}

    [tool] = offer(ActionReadsWhatCannotBeSaid, domain=domain).tools.values()

    assert [a.shape for a in tool.arguments] == [Shape("categorical", ("hall", "bar")), Shape(), Shape("bool")]
    assert [a.description for a in tool.arguments] == ["", "", "Whether"]
    assert "required" not in tool.input_schema


def test_names_fit_every_client() -> None:
    """The action's own where it will do; long ones stay apart."""
    assert tool_name("action_book") == "action_book"
    assert tool_name("_über.uns") == "uber_uns"
    assert (tool_name("3d_print"), tool_name("x" * 48)) == ("x_3d_print", "x" * 48)
    assert tool_name("3" * 48).startswith("x_333")
    assert len(tool_name("3" * 48)) == 48
    long = [tool_name(f"action_{'x' * 60}_{end}") for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) == 48 for name in long)
    assert tool_name("予約").startswith("x_")
    assert argument_name("party size") == "party_size"
    assert argument_name("party-size.max") == "party-size.max"
    assert argument_name("party  (size)") == "party_size_"
    assert argument_name("-.größe") == "grosse"
    assert argument_name("_mine.-") == "_mine.-"
    assert argument_name("\ud83d").startswith("x_")
    slots = [argument_name(f"{'x' * 70}_{end}") for end in "ab"]
    assert len(set(slots)) == 2
    assert all(len(name) == 64 for name in slots)
    assert argument_name("y" * 64) == "y" * 64


@pytest.mark.parametrize("key", ["ok", "error", "errors", "text", "responses", "result", "followup_action"])
def test_a_slot_takes_no_key_by_which_an_answer_says_something_else(key: str) -> None:
    """`result` is all that a sub agent's model would see, and `errors` is a failure to Mantle."""
    assert answer_key(key) == f"slot_{key}"
