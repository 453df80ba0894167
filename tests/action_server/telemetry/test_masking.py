"""What the rules of endpoints.yml call private does not get into a log, however an author logs it."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from action_server.errors import SettingsError
from action_server.runtime.threads import ThreadPool
from action_server.telemetry.logs import CallContext, ConsoleFormatter, JsonFormatter, calling
from action_server.telemetry.masking import Masker, Privacy, Rule, hiding, mask_record, masking, read_rules

PROPERTY = settings(deadline=None, max_examples=200)
EMAIL = Rule("email")
CARD = Rule("card", redaction_char="#", keep_right=4)
PHONE = Rule("phone", type="mask")


def masker(slots: Mapping[str, Any], *rules: Rule, events: list[Any] | None = None) -> Masker:
    found = Privacy(rules or (EMAIL, CARD, PHONE)).values_of(slots, events or [])
    assert found is not None
    return found


# Values in texts


@pytest.mark.parametrize(
    ("slots", "text", "expected"),
    [
        pytest.param({"email": "ann@x.de"}, "mail to ann@x.de, ann@x.de!", "mail to ********, ********!", id="redact"),
        pytest.param({"card": "1234-5678-9012"}, "card 1234-5678-9012", "card ##########9012", id="keep-right"),
        pytest.param({"phone": "+49 30 1"}, "call +49 30 1", "call [PHONE]", id="mask"),
        pytest.param({"card": "9012"}, "pin 9012", "pin ####", id="all-of-it-would-be-kept"),
        pytest.param({"email": "ann"}, "joanna", "jo***a", id="inside-of-a-word"),
        pytest.param({"email": "al"}, "al, also al", "**, also **", id="short-ones-as-words"),
        pytest.param({"email": "m"}, "m=m mm _m", "*=* mm _m", id="one-character"),
        pytest.param({"email": "李明"}, "患者李明预约", "患者**预约", id="short-where-words-are-not-spaced"),
        pytest.param({"email": 4912345}, "id 4912345", "id *******", id="integer"),
        pytest.param({"email": 12.5}, "12.5 EUR", "**** EUR", id="float"),
        pytest.param(
            {"email": 4912345.0}, "id 4912345 or 4912345.0", "id ******* or *********", id="float-of-an-integer"
        ),
        pytest.param({"email": {"a": ["ann", {"b": "bob"}]}}, "ann bob", "*** ***", id="nested"),
        pytest.param({"email": ["ann", "ann@x"]}, "ann@x ann", "***** ***", id="longest-first"),
        pytest.param({"email": " ann "}, "<ann>", "<***>", id="stripped"),
        pytest.param({"email": "O'B\n"}, repr({"n": "O'B"}), "{'n': \"***\"}", id="in-a-repr"),
        pytest.param({"email": "J\u00f6rg"}, json.dumps({"n": "J\u00f6rg"}), '{"n": "****"}', id="in-json"),
        pytest.param({"email": "a\nb"}, repr(json.dumps("a\nb")), "'\"***\"'", id="in-the-repr-of-json"),
        pytest.param({"email": "J\u00f6rg"}, repr("J\u00f6rg".encode()), "b'****'", id="in-bytes"),
        pytest.param({"email": "a b@x"}, urlencode({"q": "a b@x"}), "q=*****", id="in-a-url"),
        pytest.param({"email": True}, "True", "True", id="booleans-are-nobodys"),
        pytest.param({"email": None}, "None", "None", id="none"),
        pytest.param({"email": ""}, "text", "text", id="empty"),
        pytest.param({"email": "  "}, "a  b", "a  b", id="blank"),
        pytest.param({"email": '"'}, 'say "', "say *", id="a-quote"),
        pytest.param({"name": "ann"}, "ann", "ann", id="no-rule"),
        pytest.param({"email": "a.c"}, "abc a.c", "abc ***", id="no-pattern"),
        pytest.param({"email": "\ud800nn"}, "\ud800nn", "***", id="lone-surrogate"),
    ],
)
def test_a_value_is_hidden_wherever_it_stands(slots: Mapping[str, Any], text: str, expected: str) -> None:
    assert masker(slots).apply(text) == expected


def test_what_one_rule_keeps_another_one_hides() -> None:
    """The last four digits may be shown, unless they are a PIN, alone or with what stands beside them."""
    both = masker({"card": "12345678", "email": ["5678", "56789"]})
    assert both.apply("12345678") == "########"
    assert both.apply("123456789") == "#########"
    assert masker({"card": "1212"}, Rule("card", keep_right=2)).apply("121212") == "******"


def test_of_two_rules_for_one_value_the_stricter_one_counts() -> None:
    assert masker({"card": "12345678", "email": "12345678"}).apply("12345678") == "********"
    assert masker({"card": "12345678"}, CARD, Rule("card")).apply("12345678") == "********"


def test_earlier_values_and_candidates_are_hidden_too() -> None:
    """The tracker's events hold what the slot held before, and what a validator is to look at."""
    events = [{"event": "slot", "name": "email", "value": "old@x"}, {"event": "slot", "name": "x", "value": "y@z"}, "?"]
    assert masker({"email": "new@x"}, events=events).apply("old@x new@x y@z") == "***** ***** y@z"


def test_values_set_during_the_call_are_hidden_from_then_on() -> None:
    hidden = masker({"email": "ann"})
    assert hidden.apply("ann bob") == "*** bob"
    hidden.also("email", ["bob"])
    hidden.also("name", "text")
    assert hidden.apply("ann bob text") == "*** *** text"


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="*[]"), min_size=3, max_size=12)


@PROPERTY
@given(values=st.lists(WORDS, min_size=1, max_size=6), between=st.lists(WORDS, max_size=6), data=st.data())
def test_a_hidden_value_never_survives(values: list[str], between: list[str], data: st.DataObject) -> None:
    """In any text made of values, of parts of them and of others, in any order and side by side."""
    rule = data.draw(st.sampled_from([EMAIL, Rule("email", keep_left=1, keep_right=2), Rule("email", type="mask")]))
    assume(all(value.strip() and value.strip().upper() not in "EMAIL" for value in values))
    parts = values + between + [value[1:] for value in values] + [value[:-1] for value in values]
    text = "".join(data.draw(st.lists(st.sampled_from(parts), max_size=12)))
    masked = masker({"email": values}, rule).apply(text)
    assert not [value for value in values if len(value.strip()) >= 3 and value.strip() in masked]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@PROPERTY
@given(value=JSON, text=st.text())
def test_any_value_and_any_text_are_masked_without_an_error(value: Any, text: str) -> None:
    hidden = masker({"email": value, "card": [value], "phone": {"a": value}})
    assert isinstance(hidden.apply(f"{text}{value}{json.dumps(value)}"), str)


def test_without_rules_there_is_nothing_to_pay() -> None:
    """A call gets no masker, and a record is not touched."""
    assert Privacy().values_of({"email": "ann"}) is None
    with hiding(None):
        assert masking.get() is None
    record = logging.makeLogRecord({"msg": "x"})
    before = dict(vars(record))
    assert mask_record(record)
    assert vars(record) == before


# Log records


@pytest.fixture(params=[ConsoleFormatter, JsonFormatter, logging.Formatter])
def log(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose handler masks, with each formatter, and what it wrote."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(request.param())
    handler.addFilter(mask_record)
    logger = logging.Logger("actions.mine")
    logger.addHandler(handler)
    yield logger, written
    handler.close()


Log = tuple[logging.Logger, io.StringIO]
ANN = "ann@x.de"


class Shown(BaseModel):
    name: str


@dataclasses.dataclass(repr=False)
class Opaque:
    name: str


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(ANN)


@pytest.mark.parametrize(
    ("message", "arguments", "extra"),
    [
        pytest.param(f"to {ANN}", (), {}, id="f-string"),
        pytest.param("to %s", (ANN,), {}, id="argument"),
        pytest.param("to %(who)s", ({"who": ANN},), {}, id="named-argument"),
        pytest.param("unused", ({"who": ANN},), {}, id="unused-argument"),
        pytest.param(ANN.join("[]"), (), {"more": 1}, id="message-and-field"),
        pytest.param({"email": ANN}, (), {}, id="message-is-no-text"),
        pytest.param("x", (), {"email": ANN}, id="field"),
        pytest.param("x", (), {"slots": {"email": [ANN, {"a": f"<{ANN}>"}]}}, id="nested-field"),
        pytest.param("x", (), {"by_mail": {ANN: 1}}, id="key"),
        pytest.param("x", (), {"user": Shown(name=ANN)}, id="model"),
        pytest.param("x", (), {"user": Opaque(ANN)}, id="object-that-only-json-shows"),
        pytest.param("x", (), {"error": ValueError(ANN)}, id="exception-as-field"),
        pytest.param("x", (), {"broken": Broken()}, id="field-that-cannot-be-shown"),
        pytest.param("wrong %d", (ANN,), {}, id="argument-of-the-wrong-kind"),
        pytest.param("too many", (ANN, 1), {}, id="too-many-arguments"),
        pytest.param("%s", (Broken(),), {}, id="argument-that-cannot-be-shown"),
    ],
)
def test_no_way_to_log_a_value_shows_it(
    log: Log, capsys: pytest.CaptureFixture[str], message: Any, arguments: tuple[Any, ...], extra: dict[str, Any]
) -> None:
    """Neither in the log nor on standard error, where logging reports lines that it cannot format."""
    logger, written = log
    with hiding(masker({"email": ANN})):
        logger.warning(message, *arguments, extra=extra)
    assert written.getvalue().strip()
    assert ANN not in written.getvalue() + capsys.readouterr().err


def test_a_number_is_hidden_as_a_field_and_others_stay_numbers() -> None:
    record = logging.makeLogRecord({"name": "actions.mine", "msg": "x", "phone": 4912345, "tries": 3, "ok": True})
    with hiding(masker({"email": 4912345})):
        assert mask_record(record)
    assert (vars(record)["phone"], vars(record)["tries"], vars(record)["ok"]) == ("*******", 3, True)


def test_an_exceptions_text_its_causes_and_its_notes_are_masked(log: Log) -> None:
    logger, written = log
    with hiding(masker({"email": ANN})):
        try:
            try:
                raise KeyError(ANN)
            except KeyError as cause:
                raise ValueError(f"no such user: {ANN}") from cause
        except ValueError:
            logger.exception("lookup.failed", stack_info=True)
    assert ANN not in written.getvalue()
    assert "lookup.failed" in written.getvalue()


@pytest.mark.parametrize("log", [ConsoleFormatter, logging.Formatter], indirect=True)
def test_a_masked_traceback_is_still_one(log: Log) -> None:
    logger, written = log
    with hiding(masker({"email": ANN})):
        try:
            raise ValueError(ANN)
        except ValueError:
            logger.exception("lookup.failed")
    assert "Traceback (most recent call last)" in written.getvalue()
    assert "ValueError: ********" in written.getvalue()


def test_an_exception_without_a_value_keeps_its_traceback(log: Log) -> None:
    logger, written = log
    with hiding(masker({"email": ANN})):
        try:
            raise ValueError("out of paper")
        except ValueError:
            logger.exception("print.failed")
    assert "Traceback" in written.getvalue()
    assert "out of paper" in written.getvalue()


def test_the_servers_own_lines_keep_their_facts_and_lose_the_actions_exception() -> None:
    facts = {"outcome": "failed", "ms": 12.5, "action": "action_12.5"}
    try:
        raise ValueError("12.5")
    except ValueError as exc:
        error = (type(exc), exc, exc.__traceback__)
    given = {"name": "action_server.runtime.executor", "msg": "action.failed", "exc_info": error, **facts}
    record = logging.makeLogRecord(given)
    with hiding(masker({"email": 12.5})):
        mask_record(record)
    assert {name: vars(record)[name] for name in facts} == facts
    assert record.getMessage() == "action.failed"
    assert "ValueError: ****" in (record.exc_text or "")
    assert record.exc_info is None


def test_the_names_by_which_lines_are_found_stay() -> None:
    record = logging.makeLogRecord({"name": "actions.mine", "msg": "x", "sender_id": "491", "action": "action_491"})
    with hiding(masker({"email": "491"})), calling(CallContext("action_491", "491")):
        mask_record(record)
    assert (vars(record)["sender_id"], vars(record)["action"]) == ("491", "action_491")


def test_nothing_is_masked_outside_of_a_call(log: Log) -> None:
    logger, written = log
    with hiding(masker({"email": ANN})):
        pass
    logger.warning(ANN)
    assert ANN in written.getvalue()


async def test_an_actions_thread_masks_and_calls_mask_their_own(log: Log) -> None:
    logger, written = log
    workers = ThreadPool(4)

    async def call(number: int) -> None:
        with hiding(masker({"email": f"user{number}@x"})):
            await asyncio.sleep(0)
            await workers.call(lambda: logger.warning("<user%d@x> in %s", number, threading.current_thread().name))

    try:
        await asyncio.gather(*(call(number) for number in range(20)))
    finally:
        workers.close()
    lines = written.getvalue().splitlines()
    assert len(lines) == 20
    assert not [line for line in lines if "user" in line or "<*" not in line or "MainThread" in line]


def test_one_masker_serves_several_threads() -> None:
    hidden = masker({"email": [f"user{n}@x" for n in range(50)]})
    texts: list[str] = []

    def work(number: int) -> None:
        hidden.also("email", f"new{number}@x")
        texts.append(hidden.apply(f"user{number}@x new{number}@x"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 50
    assert not [text for text in texts if set(text) != {"*", " "}]


# Rules


def endpoints(folder: Path, text: str) -> Path:
    path = folder / "endpoints.yml"
    path.write_text(text, encoding="utf-8")
    return path


DOCUMENTED = """
privacy:
  tracker_store_settings:
    deletion: {min_after_session_end: 3000, cron: "30 0 * * *"}
    anonymization: {min_after_session_end: 120, cron: "30 1 * * *"}
  rules:
    - slot: credit_card_number
      anonymization:
          type: redact
          redaction_char: "#"
          keep_right: 4
    - slot: phone
      anonymization: {type: mask}
    - slot: name
"""


def test_the_documented_file_is_read(tmp_path: Path) -> None:
    rules = (Rule("credit_card_number", "redact", "#", 0, 4), Rule("phone", "mask"), Rule("name"))
    assert read_rules(endpoints(tmp_path, DOCUMENTED)) == (rules, ())


@pytest.mark.parametrize("text", ["", "privacy:", "privacy: {}", "privacy: {rules: }", "privacy: {rules: []}", "[a]"])
def test_there_may_be_no_rules(tmp_path: Path, text: str) -> None:
    assert read_rules(endpoints(tmp_path, text)) == ((), ())


def test_there_may_be_no_file(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "endpoints.yml") == read_rules(None) == ((), ())


def test_keys_of_a_newer_engine_are_told_and_tolerated(tmp_path: Path) -> None:
    path = endpoints(tmp_path, "privacy: {rules: [{slot: a, entity: b, anonymization: {type: mask, salt: c}}]}")
    rules, warnings = read_rules(path)
    assert rules == (Rule("a", "mask"),)
    assert warnings == (
        f"{path}: privacy.rules[0].entity is not known here",
        f"{path}: privacy.rules[0].anonymization.salt is not known here",
    )


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("privacy: sEcReT", "privacy:", "must hold"),
        ("privacy: {rules: sEcReT}", "privacy.rules:", "must be a list"),
        ("privacy: {rules: [sEcReT]}", "privacy.rules[0].slot", "must be the name of a slot"),
        ("privacy: {rules: [{slot: 1}]}", "privacy.rules[0].slot", "must be the name of a slot"),
        ("privacy: {rules: [{slot: a, anonymization: sEcReT}]}", "rules[0].anonymization:", "must hold type"),
        ("privacy: {rules: [{slot: a, anonymization: {type: sEcReT}}]}", "anonymization.type", "'redact' or 'mask'"),
        (
            "privacy: {rules: [{slot: a}, {slot: b, anonymization: {redaction_char: ab}}]}",
            "rules[1].anonym",
            "at most 1",
        ),
        ("privacy: {rules: [{slot: a, anonymization: {keep_left: -1}}]}", "anonymization.keep_left", "greater than"),
        ("privacy: {rules: [{slot: a, anonymization: {keep_right: true}}]}", "anonymization.keep_right", "integer"),
        ("privacy: {", "", "cannot be read as YAML"),
    ],
)
def test_a_rule_that_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, where: str, problem: str) -> None:
    """It must not be passed over: what it was to hide would stay readable."""
    path = endpoints(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read_rules(path)
    message = str(caught.value)
    assert str(path) in message
    assert where in message
    assert problem in message
    assert "\n" not in message
    assert "sEcReT" not in message
