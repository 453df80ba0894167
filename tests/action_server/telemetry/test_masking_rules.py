"""The rules of `privacy:` are read as Rasa documents them, and a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.endpoints import Block, read_endpoints
from action_server.errors import SettingsError
from action_server.telemetry.masking import Rule, read_rules


def privacy(folder: Path, text: str, **environment: str) -> Block:
    """The block of a file that holds this text."""
    path = folder / "endpoints.yml"
    path.write_text(text, encoding="utf-8")
    return read_endpoints(path, environment).privacy


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
    assert read_rules(privacy(tmp_path, DOCUMENTED)) == (rules, ())


@pytest.mark.parametrize("text", ["", "privacy:", "privacy: {}", "privacy: {rules: }", "privacy: {rules: []}", "[a]"])
def test_there_may_be_no_rules(tmp_path: Path, text: str) -> None:
    assert read_rules(privacy(tmp_path, text)) == ((), ())


def test_variables_are_replaced_as_in_every_block(tmp_path: Path) -> None:
    """The slot is the one that is meant, and not one called `${SLOT}`."""
    block = privacy(
        tmp_path, "privacy: {rules: [{slot: '${SLOT}', anonymization: {type: '${HOW}'}}]}", SLOT="a", HOW="mask"
    )

    assert read_rules(block) == ((Rule("a", "mask"),), ())


def test_a_misspelt_list_of_rules_is_told(tmp_path: Path) -> None:
    """It would leave every value readable. Other keys there are Rasa's."""
    block = privacy(tmp_path, "privacy: {ruls: [{slot: a}], tracker_store_settings: {}}")

    where = f"{tmp_path / 'endpoints.yml'}: privacy.ruls"
    assert read_rules(block) == ((), (f"{where} is not known here; did you mean 'rules'?",))


def test_keys_of_a_newer_engine_are_told_and_tolerated(tmp_path: Path) -> None:
    block = privacy(tmp_path, "privacy: {rules: [{slot: a, entity: b, anonymization: {type: mask, salt: c}}]}")
    rules, warnings = read_rules(block)
    path = tmp_path / "endpoints.yml"
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
        ("privacy: {rules: [{slot: '${NOT}'}]}", "privacy.rules[0].slot", "NOT is not set"),
        ("privacy: {", "", "cannot be read as YAML"),
    ],
)
def test_a_rule_that_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, where: str, problem: str) -> None:
    """It must not be passed over: what it was to hide would stay readable."""
    with pytest.raises(SettingsError) as caught:
        read_rules(privacy(tmp_path, text))
    message = str(caught.value)
    assert str(tmp_path / "endpoints.yml") in message
    assert where in message
    assert problem in message
    assert "\n" not in message
    assert "sEcReT" not in message
