"""Conditions come out as engines have them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypred  # type: ignore[import-untyped]
import pytest

from action_server.project.conditions import errors_of, evaluate, names_in

ROOT = Path(__file__).parents[3]
SLOTS: dict[str, Any] = {
    "null": None,
    "text": "Rasa bot",
    "empty": "",
    "no": False,
    "yes": True,
    "zero": 0,
    "three": 3,
    "list": ["a", "b"],
    "nothing": [],
    "deep": {"key": "v"},
}
CONTEXT = {"names": ["x", "y"], "reason": "why", "collect": "three"}

TRUE = [
    "slots.text",
    "not slots.null",
    "not slots.empty",
    "not slots.zero",
    "not slots.missing",
    'slots.text == "Rasa bot"',
    "slots.text = 'Rasa bot'",
    'slots.text is "Rasa bot"',
    'slots.text is not "x"',
    'slots.text != "x"',
    "slots.three > 2",
    "slots.three >= 3",
    "slots.three < 4",
    "slots.three <= 3",
    "slots.null is null",
    "slots.null is NULL",
    "slots.null = null",
    "slots.three is not null",
    "slots.missing is undefined",
    "slots.yes is true",
    "slots.yes is True",
    "slots.no is false",
    "slots.no is not null",
    "slots.nothing is empty",
    "slots.null is not null or slots.three is not null",
    "slots.yes AND slots.three",
    "slots.text contains 'Rasa'",
    "slots.list contains 'a'",
    "{'a' 'b'} contains slots.deep.key or slots.yes",
    "{1 2 3} contains slots.three",
    'slots.text matches "^R[a-z]{3}"',
    'slots.text matches "(?i).*RASA.*"',
    "(slots.zero and slots.zero) or slots.yes",
    "not (slots.zero or slots.null)",
    "slots.deep.key is 'v'",
    'context.names contains "x"',
    'context.reason is "why"',
    "slots.{{context.collect}} is not null",
    '"{{context.reason}}" != "greeting"',
    "True",
]
FALSE = [
    "slots.missing is null",
    "slots.missing",
    "slots.null",
    "slots.no",
    "slots.three = '3'",
    "slots.text contains 'rasa'",
    "slots.null matches 'x'",
    "slots.null contains 'x'",
    "text = 'Rasa bot'",
    "context.collect is null",
    # `and` and `or` bind alike and to the right: no and (no or yes).
    "slots.zero and slots.zero or slots.yes",
    "False",
    "false",
]
ERRORS = [
    ("slots.null > 3", "NoneType"),
    ("slots.null <= 3", "NoneType"),
    ("slots.text >= 3", "str"),
    ("slots.null.key = 1", "NoneType"),
    ("slots.three ==", "Unexpected end"),
    ("", "Unexpected end"),
    ("slots.three in slots.list", "Syntax error with in"),
    ('slots.text matches "("', "Regex"),
    ("slots.three @ 3", "@"),
    ("{{ context.reason", "Jinja"),
    ("{{ 1 / 0 }} = 1", "division"),
]


@pytest.mark.parametrize("text", TRUE)
def test_is_true(text: str) -> None:
    found = evaluate(text, SLOTS, CONTEXT)

    assert (found.value, found.error) == (True, "")


@pytest.mark.parametrize("text", FALSE)
def test_is_false(text: str) -> None:
    found = evaluate(text, SLOTS, CONTEXT)

    assert (found.value, found.error) == (False, "")


@pytest.mark.parametrize(("text", "error"), ERRORS)
def test_an_error_is_false_and_says_so(text: str, error: str) -> None:
    found = evaluate(text, SLOTS, CONTEXT)

    assert found.value is False
    assert error in found.error


def test_it_tells_what_jinja_made_and_what_the_names_were() -> None:
    found = evaluate("slots.{{context.collect}} > 2 and slots.missing", SLOTS, CONTEXT)

    assert found.rendered == "slots.three > 2 and slots.missing"
    assert found.values == {"slots.three": 3}


@pytest.mark.parametrize("text", [*TRUE, *FALSE])
def test_a_checker_finds_nothing_in_what_can_be_evaluated(text: str) -> None:
    assert errors_of(text) == []


@pytest.mark.parametrize("text", ["slots.x ==", "slots.a slots.b", "{{ x", 'slots.x matches "["', "slots.x @ 1", ""])
def test_a_checker_finds_what_never_can(text: str) -> None:
    assert errors_of(text)


def test_a_checker_does_not_evaluate() -> None:
    """What fails only for some values is no error of the text."""
    assert errors_of("slots.null > 3 and {{ 1 / 0 }} = 2") == []


def test_names() -> None:
    text = "slots.a = 'slots.x' and (not slots.b or {slots.c 1} contains context.d) and slots.{{context.e}} is null"

    assert names_in(text) == {"slots.a", "slots.b", "slots.c", "context.d"}
    assert names_in("slots.a ==") == set()


def test_templates_reach_nothing_but_their_values() -> None:
    """Jinja is sandboxed: a project from elsewhere runs no code."""
    found = evaluate("{{ ''.__class__.__mro__ }} = 1", SLOTS)

    assert not found.value
    assert "Jinja" in found.error


def test_it_is_silent_and_writes_nothing(tmp_path: Path) -> None:
    """pypred's own parser prints to standard error and writes tables into its package if those it has are old."""
    copied = tmp_path / "pypred"
    shutil.copytree(Path(pypred.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    tables = copied / "parsetab.py"
    tables.write_text("_tabversion = '1.0'\n")
    code = "from action_server.project.conditions import evaluate; import pypred; print(pypred.__file__)\n"
    code += "assert evaluate('slots.x is null', {'x': None}).value; assert evaluate('slots.x ==', {}).error"

    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{copied / '__init__.py'}\n"
    assert tables.read_text() == "_tabversion = '1.0'\n"
    assert {path.name for path in tmp_path.iterdir()} == {"pypred"}


def test_a_condition_without_end_is_false_and_says_so() -> None:
    """It is too deep for the evaluator; the conversation goes on."""
    found = evaluate(" and ".join(["slots.kind == 'small'"] * 3000), {"kind": "small"})

    assert (found.value, bool(found.error)) == (False, True)
