"""endpoints.yml is read once, into blocks, with ``${VARIABLE}`` replaced alike in all of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from action_server.config import settings
from action_server.endpoints import BLOCKS, Block, endpoints_of, expand, read_endpoints, replace_texts
from action_server.errors import SettingsError

ENVIRONMENT = {"HOST": "crm.example", "PORT": "8443", "EMPTY": ""}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("https://${HOST}:${PORT}/x", "https://crm.example:8443/x"),
        (["${HOST}", 1, {"deep": "${PORT}"}], ["crm.example", 1, {"deep": "8443"}]),
        ("${EMPTY}", ""),
        ("costs $5, ${} or $HOST", "costs $5, ${} or $HOST"),
        ({"${HOST}": None}, {"${HOST}": None}),
    ],
    ids=["in a text", "at any depth", "an empty one", "nothing like one", "a key"],
)
def test_variables_are_replaced_wherever_they_stand_in_a_value(value: Any, meant: Any) -> None:
    """As Rasa does it in its part of the file."""
    assert expand(value, "", ENVIRONMENT) == meant


def test_a_variable_that_is_not_set_is_named_with_its_place() -> None:
    """Not replaced by nothing: a password would be empty. No value is shown."""
    with pytest.raises(SettingsError) as refused:
        expand({"keys": ["a", "secret ${NOT_SET}"]}, "FILE: crm", ENVIRONMENT)

    assert refused.value.where == "FILE: crm.keys[1]"
    assert "NOT_SET is not set" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_texts_are_replaced_by_whoever_knows_with_what() -> None:
    """The walk is one; every text comes with its place, and what is no text stays."""
    seen: list[str] = []

    def shout(text: str, place: str) -> str:
        seen.append(place)
        return text.upper()

    assert replace_texts({"a": ["b", 1, None], "c": "d"}, shout, "top") == {"a": ["B", 1, None], "c": "D"}
    assert seen == ["top.a[0]", "top.c"]


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_is_filled_in_the_same_way(tmp_path: Path, name: str) -> None:
    """One that the engine knows as much as one of ours."""
    file = tmp_path / "endpoints.yml"
    file.write_text(f"{name}: [{{url: 'https://${{HOST}}'}}]\nother: 1\n", encoding="utf-8")

    block = getattr(read_endpoints(file, ENVIRONMENT), name)

    assert block.where == f"{file}: {name}"
    assert block.content() == [{"url": "https://crm.example"}]
    assert block.written == [{"url": "https://${HOST}"}]


@pytest.mark.parametrize("name", BLOCKS)
def test_an_unset_variable_is_missed_by_whoever_uses_its_block(tmp_path: Path, name: str) -> None:
    """Reading the file asks for none: a block may be the engine's alone, which knows other variables."""
    file = tmp_path / "endpoints.yml"
    file.write_text("".join(f"{other}: {{key: '${{{other.upper()}}}'}}\n" for other in BLOCKS), encoding="utf-8")
    others = {other.upper(): "set" for other in BLOCKS if other != name}

    blocks = read_endpoints(file, others)

    assert [getattr(blocks, other).content() for other in BLOCKS if other != name] == [{"key": "set"}] * 5
    with pytest.raises(SettingsError) as refused:
        getattr(blocks, name).content()
    assert refused.value.where == f"{file}: {name}.key"


@pytest.mark.parametrize("content", [None, [], ["tracing"], "tracing", 1], ids=repr)
def test_a_file_that_is_no_mapping_has_no_blocks(content: object) -> None:
    """Yet each knows where it would stand, and the environment."""
    blocks = endpoints_of(content, "endpoints.yml", ENVIRONMENT)

    assert [name for name in BLOCKS if getattr(blocks, name).written is not None] == []
    assert (blocks.privacy.where, blocks.privacy.environment) == ("endpoints.yml: privacy", ENVIRONMENT)


def test_a_part_of_a_block_is_filled_on_its_own() -> None:
    """Of several backends or models, one that nobody asks for may have variables that are not set."""
    block = Block("endpoints.yml: tracing", [{"a": "${NOT_SET}"}, {"a": "${HOST}"}], ENVIRONMENT)

    assert block.part(block.written[1], "[1]").content() == {"a": "crm.example"}
    with pytest.raises(SettingsError) as refused:
        block.part(block.written[0], "[0]").content()
    assert refused.value.where == "endpoints.yml: tracing[0].a"


def test_settings_of_the_server_and_of_services_may_hold_variables(tmp_path: Path) -> None:
    """A number as well; a secret is not shown, whoever shows the settings or their blocks."""
    file = tmp_path / "endpoints.yml"
    file.write_text(
        "action_server: {port: '${PORT}', auth: {tokens: '${TOKEN}'}, services: {crm: {url: '${HOST}'}}}",
        encoding="utf-8",
    )

    found = settings.read({"endpoints": str(file)}, {**ENVIRONMENT, "TOKEN": "hunter2"})

    assert (found.port, found.services) == (8443, {"crm": {"url": "crm.example"}})
    assert "hunter2" not in f"{found!r} {found} {found.blocks!r} {found.model_dump_json()}"


def test_settings_carry_the_blocks_of_their_file(tmp_path: Path) -> None:
    """To other processes as well, and into copies: nobody has to read the file again."""
    file = tmp_path / "endpoints.yml"
    file.write_text("privacy: {rules: [{slot: '${HOST}'}]}", encoding="utf-8")
    found = settings.read({"endpoints": str(file)}, ENVIRONMENT)
    file.unlink()

    for carried in (found, pickle.loads(pickle.dumps(found)), found.model_copy(update={"port": 1})):  # noqa: S301
        assert carried.blocks.privacy.content() == {"rules": [{"slot": "crm.example"}]}
