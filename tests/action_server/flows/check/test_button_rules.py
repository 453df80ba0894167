"""`check` finds buttons that send nothing, and payloads that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import (
    CALM,
    CALM_AND_MORE,
    CLASSIC,
    CODE,
    DOMAIN,
    check_files,
    edit,
    lines_of,
)

_PAYLOAD = """          payload: '/inform{{"size": "big"}}'\n"""
_BROKEN = ["broken-payload domain.yml:28"]


def payload(text: str) -> str:
    return f"          payload: {text}\n"


FAULTS: dict[str, tuple[str, list[str]]] = {
    "no payload": ("", ["button-without-payload domain.yml:27"]),
    "an empty payload": (payload("''"), ["button-without-payload domain.yml:27"]),
    "a misspelled payload": ("          paylod: /greet\n", ["button-without-payload domain.yml:27"]),
    "only a picture": ("          image_url: a.png\n", ["button-without-payload domain.yml:27"]),
    "no end": ("""          payload: '/inform{{"size": "big"'\n""", _BROKEN),
    "no end, one bracket": ("""          payload: '/inform{"size": "big"'\n""", _BROKEN),
    "no beginning": ("""          payload: '/inform"size": "big"}'\n""", _BROKEN),
    "single quotes": ("""          payload: "/inform{'size': 'big'}"\n""", _BROKEN),
    "no quotes": ("          payload: '/inform{{\"size\": big}}'\n", _BROKEN),
    "a comma too many": ("""          payload: '/inform{"size": "big",}'\n""", _BROKEN),
    "a list": ("""          payload: '/inform{{["size"]}}'\n""", _BROKEN),
    "SetSlots without anything": ("          payload: /SetSlots()\n", _BROKEN),
    "SetSlots with a colon": ("          payload: '/SetSlots(size: big)'\n", _BROKEN),
    "StartFlow without brackets": ("          payload: /StartFlow other\n", _BROKEN),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    line, expected = fault

    assert lines_of(check_files(tmp_path, edit(CLASSIC, DOMAIN, _PAYLOAD, line))) == expected


NEAR_MISSES = {
    "single brackets": """          payload: '/inform{"size": "big"}'\n""",
    "a slot in quotes": """          payload: '/inform{{"size": "{size}"}}'\n""",
    "a slot without quotes": """          payload: '/inform{{"size": {size}}}'\n""",
    "a slot in single brackets": """          payload: '/inform{"size": "{size}"}'\n""",
    "nested JSON": """          payload: '/inform{{"size": {{"a": [1]}}}}'\n""",
    "a confidence": """          payload: '/inform@0.9{{"size": "big"}}'\n""",
    "no entities": "          payload: /inform\n",
    "Jinja": """          payload: '/inform{{ slots.size }}'\n""",
    "words": "          payload: 'A {big} \"one\"'\n",
    "SetSlots without an end": "          payload: /SetSlots(size=big\n",
    "a link": "          url: https://example.com\n",
    "a channel's own type": "          type: web_url\n",
    "a value for a channel": "          value: big\n",
}


@pytest.mark.parametrize("line", NEAR_MISSES.values(), ids=list(NEAR_MISSES))
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, line: str) -> None:
    """A button that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(CLASSIC, DOMAIN, _PAYLOAD, line))) == []


CODE_FAULTS = {
    "no payload": ('{"title": "A"}', ["button-without-payload ACTS/send.py:11"]),
    "brackets that nobody fills in": (
        """{"title": "A", "payload": '/inform{{"kind": "big"}}'}""",
        ["broken-payload ACTS/send.py:11"],
    ),
    "broken JSON": ("""{"title": "A", "payload": "/inform{'kind': 1}"}""", ["broken-payload ACTS/send.py:11"]),
}


@pytest.mark.parametrize("fault", CODE_FAULTS.values(), ids=list(CODE_FAULTS))
def test_a_planted_fault_in_code_is_found(tmp_path: Path, fault: tuple[str, list[str]]) -> None:
    """Buttons that an action says are checked as those of the domain; engines fill in nothing there."""
    button, expected = fault

    files = edit(CALM, CODE, 'response="utter_done"', f'text="?", buttons=[{button}]')

    assert lines_of(check_files(tmp_path, files)) == expected


CODE_NEAR_MISSES = {
    "a link": '{"title": "A", "url": "https://example.com"}',
    "a payload made at run time": '{"title": "A", "payload": "/inform" + "{"}',
    "a payload that is formatted": """{"title": "A", "payload": '/inform{{"kind": "{}"}}'.format("big")}""",
    "keys from elsewhere": '{"title": "A", **{"payload": "/ok"}}',
    "a key made at run time": '{"title": "A", "pay" + "load": "/ok"}',
    "JSON": """{"title": "A", "payload": '/inform{"kind": "big"}'}""",
}


@pytest.mark.parametrize("button", CODE_NEAR_MISSES.values(), ids=list(CODE_NEAR_MISSES))
def test_nothing_is_found_in_code_where_it_only_looks_so(tmp_path: Path, button: str) -> None:
    """Only constants count."""
    files = edit(CALM_AND_MORE, CODE, 'response="utter_done"', f'text="?", buttons=[{button}]')

    assert lines_of(check_files(tmp_path, files)) == []
