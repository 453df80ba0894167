"""`check` finds faults planted into entities: in the domain, in mappings, intents, rules, stories and buttons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.action_server.flows.check.sample_projects import CLASSIC, DOMAIN, RULES_FILE, check_files, edit, lines_of

_ENTITIES = "entities:\n  - city:\n      roles: [from, to]\n  - weight\n"
_MAPPING = "  town:\n    type: text\n    mappings:\n      - type: from_entity\n        entity: city\n        role: to\n"
# A project with entities: a slot is filled by one, an intent uses one, a rule names both.
TRAVEL = edit(CLASSIC, DOMAIN, "slots:\n  size", f"{_ENTITIES}slots:\n{_MAPPING}  size")
TRAVEL = edit(TRAVEL, DOMAIN, "  - inform\n", "  - inform:\n      use_entities: [city]\n")
TRAVEL = edit(
    TRAVEL,
    RULES_FILE,
    "      - intent: inform\n",
    "      - intent: inform\n        entities:\n          - city: Vienna\n            role: to\n          - weight\n",
)

FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "of a mapping": (DOMAIN, "entity: city", "entity: ctiy", ["unknown-entity domain.yml:16"]),
    "of an intent": (DOMAIN, "use_entities: [city]", "use_entities: [ctiy]", ["unknown-entity domain.yml:5"]),
    "that an intent ignores": (
        DOMAIN,
        "use_entities: [city]",
        "ignore_entities: [mass]",
        ["unknown-entity domain.yml:5"],
    ),
    "of a rule": (RULES_FILE, "- city: Vienna", "- ctiy: Vienna", ["unknown-entity data/rules.yml:10"]),
    "of a rule, without a value": (RULES_FILE, "- weight", "- mass", ["unknown-entity data/rules.yml:12"]),
    "of a story": (
        RULES_FILE,
        "      - intent: greet\n",
        "      - intent: greet\n        entities: [{wieght: 5}]\n",
        ["unknown-entity data/rules.yml:32"],
    ),
    "of a button": (DOMAIN, '{{"size": "big"}}', '{{"mass": "big"}}', ["unknown-entity domain.yml:39"]),
    "with a role of a mapping": (DOMAIN, "role: to", "role: too", ["unknown-entity domain.yml:17"]),
    "with a role of a rule": (RULES_FILE, "role: to", "role: via", ["unknown-entity data/rules.yml:11"]),
    "with a role of a rule's other entity": (
        RULES_FILE,
        "- weight",
        "- city: Graz\n            role: via",
        ["unknown-entity data/rules.yml:13"],
    ),
    "with a role, by the key entity": (
        RULES_FILE,
        "- weight",
        "- entity: city\n            role: via",
        ["unknown-entity data/rules.yml:13"],
    ),
    "with a role in one line": (
        RULES_FILE,
        "- weight",
        "- {city: Graz, role: via}",
        ["unknown-entity data/rules.yml:12"],
    ),
    "with a role of a story": (
        RULES_FILE,
        "      - intent: greet\n",
        "      - intent: greet\n        entities: [{city: Graz, role: via}]\n",
        ["unknown-entity data/rules.yml:32"],
    ),
    "with role for roles": (DOMAIN, "roles: [from, to]", "role: [from, to]", ["readable-with-care domain.yml:9"]),
    "with group for groups": (
        DOMAIN,
        "roles: [from, to]",
        "roles: [from, to]\n      group: [one]",
        ["readable-with-care domain.yml:10"],
    ),
    "in a misspelled option": (DOMAIN, "use_entities:", "use_entity:", ["readable-with-care domain.yml:5"]),
    "listed twice": (DOMAIN, "  - weight\n", "  - weight\n  - weight\n", ["duplicate-name domain.yml:11"]),
    "beside an intent listed twice": (DOMAIN, "  - faq\n", "  - faq\n  - greet\n", ["duplicate-name domain.yml:7"]),
    "beside an intent listed twice, once with options": (
        DOMAIN,
        "  - faq\n",
        "  - faq: {is_retrieval_intent: true}\n  - inform\n",
        ["duplicate-name domain.yml:7"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_found(tmp_path: Path, fault: tuple[str, str, str, list[str]]) -> None:
    """With rule, file and line; and nothing else is."""
    *edited, expected = fault

    assert sorted(lines_of(check_files(tmp_path, edit(TRAVEL, *edited)))) == expected


def test_an_unknown_entity_is_found_where_the_domain_lists_none(tmp_path: Path) -> None:
    """A mapping `from_entity` needs the entity in the domain."""
    assert lines_of(check_files(tmp_path, edit(CLASSIC, DOMAIN, "slots:\n  size", f"slots:\n{_MAPPING}  size"))) == [
        "unknown-entity domain.yml:11"
    ]


NLU = """\
nlu:
- intent: inform
  examples: |
    - to {}
    - [Vienna](city), please
"""

EXAMPLES: dict[str, tuple[str, list[str]]] = {
    "an entity": ("[Vienna](ctiy)", ["unknown-entity"]),
    "an entity with a value": ("[the capital](ctiy:Vienna)", ["unknown-entity"]),
    "an entity in an object": ('[Vienna]{"entity": "ctiy"}', ["unknown-entity"]),
    "a role": ('[Vienna]{"entity": "city", "role": "too"}', ["unknown-entity"]),
    "a role of an entity with a value": (
        '[V.]{"entity": "city", "role": "too", "value": "Vienna"}',
        ["unknown-entity"],
    ),
    "the second of two": ("[Graz](city) [5 kg](mass)", ["unknown-entity"]),
    "each of two": ("[Graz](ctiy) [5 kg](mass)", ["unknown-entity", "unknown-entity"]),
    "one of several of the same words": (
        '[Vienna][{"entity": "city", "role": "to"}, {"entity": "capital"}]',
        ["unknown-entity"],
    ),
    "a role of several": ('[Vienna][{"entity": "city", "role": "via"}]', ["unknown-entity"]),
    "what is there": ('[Vienna]{"entity": "city", "role": "to"} with [5 kg](weight:5)', []),
    "a group where none is listed": ('[Vienna]{"entity": "city", "group": "1"}', []),
    "a link": ("see [1] (mass) and (5) [6]", []),
    "no object": ('[Vienna][{"a": 1}, {}]', []),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
def test_an_unknown_entity_of_a_training_example_is_a_warning(tmp_path: Path, example: tuple[str, list[str]]) -> None:
    """With file and line: the model finds it, and the engine says with every message that the domain lacks it."""
    text, rules = example
    report = check_files(tmp_path, {**TRAVEL, "data/nlu.yml": NLU.replace("{}", text)})

    assert lines_of(report) == [f"{rule} data/nlu.yml:4" for rule in rules]
    assert {finding.severity for finding in report.findings} <= {"warning"}


@pytest.mark.parametrize("examples", ["\n  - text: to [Graz](ctiy)", "'to [Graz](ctiy)'"])
def test_training_examples_are_read_as_they_may_be_written(tmp_path: Path, examples: str) -> None:
    """A list of objects, a text in quotes."""
    assert _found_in_examples(tmp_path, examples) == [f"unknown-entity data/nlu.yml:{3 + examples.startswith(chr(10))}"]


@pytest.mark.parametrize("examples", ["['to [Graz](ctiy)']", "\n  - to [Graz](ctiy)"])
def test_training_examples_that_an_engine_refuses_are_looked_at_as_well(tmp_path: Path, examples: str) -> None:
    """A list of texts: the shape is an error, and what is in it is found in the same run."""
    assert [line.split()[0] for line in _found_in_examples(tmp_path, examples)] == ["engine-refuses", "unknown-entity"]


def _found_in_examples(folder: Path, examples: str) -> list[str]:
    text = f"nlu:\n- intent: inform\n  examples: {examples}\n"
    return sorted(lines_of(check_files(folder, {**TRAVEL, "data/nlu.yml": text})))


NEAR_MISSES: dict[str, tuple[str, str, str]] = {
    "as it is": (DOMAIN, "role: to", "role: to"),
    "all entities of an intent": (DOMAIN, "use_entities: [city]", "use_entities: true"),
    "no entities of an intent": (DOMAIN, "use_entities: [city]", "use_entities: []"),
    "a role where the domain lists none": (
        DOMAIN,
        "  - city:\n      roles: [from, to]\n",
        "  - city\n",
    ),
    "an entity that does not influence": (
        DOMAIN,
        "  - weight\n",
        "  - weight:\n      influence_conversation: false\n",
    ),
    "an entity with a value and its extractor": (
        RULES_FILE,
        "- weight",
        "- weight: 5\n            extractor: DIETClassifier",
    ),
    "an entity by the key entity": (RULES_FILE, "- weight", "- entity: weight\n            value: 5"),
    "an entity of a button": (DOMAIN, '{{"size": "big"}}', '{{"city": "Vienna"}}'),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_nothing_is_found_where_it_only_looks_so(tmp_path: Path, name: str) -> None:
    """A project that is right, though it does not look like the others, is left alone."""
    assert lines_of(check_files(tmp_path, edit(TRAVEL, *NEAR_MISSES[name]))) == []


def test_parts_of_a_domain_may_list_the_same_names(tmp_path: Path) -> None:
    """Engines merge the lists of several files."""
    files = {name: text for name, text in TRAVEL.items() if name != DOMAIN}
    files |= {"domain/a.yml": TRAVEL[DOMAIN], "domain/b.yml": "intents: [greet]\nentities: [city]\n"}

    assert lines_of(check_files(tmp_path, files)) == []


def test_nothing_is_called_missing_where_entities_cannot_be_read(tmp_path: Path) -> None:
    """What stands in a part that cannot be read is unknown."""
    files = edit(TRAVEL, DOMAIN, _ENTITIES, "entities: {city: }\n")

    assert {line.partition(" ")[0] for line in lines_of(check_files(tmp_path, files))} == {"unreadable"}
