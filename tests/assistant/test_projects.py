"""The CALM project, the classic project and endpoints.yml agree with each other, with the seed and with the code."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from action_server import settings
from actions.settings import ClinicSettings

ROOT = Path(__file__).parents[2]
CALM = ROOT / "assistant"
CLASSIC = CALM / "classic"
PROJECTS = pytest.mark.parametrize("project", [CALM, CLASSIC], ids=["calm", "classic"])
WEBHOOK = "http://localhost:5055/webhook"

# Actions that every classic engine brings along.
DEFAULT_ACTIONS = {"action_restart", "action_deactivate_loop"}

SEED = """
flows:
  book_appointment:
    description: Book a medical appointment for the user.
    steps:
      - id: ask_appointment_type
        collect: appointment_type
        ask_before_filling: true
        description: Ask the user what type of appointment they need
        next:
          - if: slots.appointment_type == 'urgent'
            then: check_urgent_availability
          - else: ask_preferred_date

      - id: ask_preferred_date
        collect: preferred_date
        ask_before_filling: true
        description: Ask the user for their preferred appointment date
        next: confirm_booking

      - id: check_urgent_availability
        action: action_check_urgent_slots
        next: confirm_booking

      - id: confirm_booking
        action: action_create_appointment
        next: END
"""


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def flows() -> dict[str, Any]:
    found: dict[str, Any] = read(CALM / "data" / "flows.yml")["flows"]
    return found


def steps(nodes: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a flow, those written inside a branch included."""
    for node in nodes:
        yield node
        for branch in branches(node):
            target = branch.get("then", branch.get("else"))
            if isinstance(target, list):
                yield from steps(target)


def branches(step: dict[str, Any]) -> list[dict[str, Any]]:
    following = step.get("next")
    return following if isinstance(following, list) else []


def targets(step: dict[str, Any]) -> Iterator[str]:
    following = step.get("next")
    if isinstance(following, str):
        yield following
    for branch in branches(step):
        target = branch.get("then", branch.get("else"))
        if isinstance(target, str):
            yield target


def all_steps() -> list[dict[str, Any]]:
    return [step for flow in flows().values() for step in steps(flow["steps"])]


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(CLASSIC / "data" / "rules.yml")["rules"]
    return found


def rule_entries(kind: str) -> list[Any]:
    return [e[kind] for rule in rules() for e in (*rule.get("condition", []), *rule["steps"]) if kind in e]


def e2e_entries() -> Iterator[tuple[str, Any]]:
    for case in read(CALM / "tests" / "e2e_test_cases.yml")["test_cases"]:
        for step in case["steps"]:
            for assertion in step["assertions"]:
                yield from assertion.items()


@pytest.mark.parametrize(
    "path",
    [*sorted(CALM.rglob("*.yml")), ROOT / "endpoints.yml"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_each_yaml_file_holds_a_mapping(path: Path) -> None:
    """A file that Rasa reads can be parsed, has no key twice, and is a mapping."""
    assert isinstance(read(path), dict)


@pytest.mark.parametrize("name", ["config.yml", "credentials.yml", "domain.yml"])
@PROJECTS
def test_rasa_finds_the_files_under_their_default_names(project: Path, name: str) -> None:
    """`rasa train` and `rasa run` need no option beyond --endpoints."""
    assert (project / name).is_file()


def test_the_flow_keeps_every_step_of_the_seed_in_order() -> None:
    """Ids, order and fields are the seed's; a description may say more, and only the last step's `next` differs."""
    seed = YAML(typ="safe").load(SEED)["flows"]["book_appointment"]
    flow = flows()["book_appointment"]

    assert flow["description"] == seed["description"]
    assert [step["id"] for step in flow["steps"]] == [step["id"] for step in seed["steps"]]
    for ours, theirs in zip(flow["steps"], seed["steps"], strict=True):
        assert ours.get("description", "").startswith(theirs.get("description", ""))
        kept = theirs.keys() - {"description"} - ({"next"} if theirs["id"] == "confirm_booking" else set())
        assert {field: ours[field] for field in kept} == {field: theirs[field] for field in kept}


def test_the_flow_ends_only_when_the_appointment_is_booked() -> None:
    """After confirm_booking a booked appointment ends the flow, and anything else asks for another date."""
    confirm = flows()["book_appointment"]["steps"][-1]

    assert confirm["next"] == [
        {"if": "slots.booking_status == 'booked'", "then": "END"},
        {"else": "ask_preferred_date"},
    ]


def test_each_target_of_a_step_exists() -> None:
    """`next`, `then` and `else` name a step of the same flow or END."""
    for flow in flows().values():
        within = list(steps(flow["steps"]))
        ids = {step["id"] for step in within if "id" in step}

        assert {target for step in within for target in targets(step)} <= ids | {"END"}


def test_each_action_of_a_flow_is_in_the_domain() -> None:
    """`rasa data validate` compares the flows with the domain's list, so the list has to be complete."""
    domain = read(CALM / "domain.yml")
    used = {step["action"] for step in all_steps() if "action" in step}

    assert used <= {*domain["actions"], *domain["responses"]}


def test_each_slot_of_a_flow_is_in_the_domain() -> None:
    """Collected slots and those of conditions exist, and a condition compares with a value that its slot can have."""
    slots = read(CALM / "domain.yml")["slots"]
    collected = {step["collect"] for step in all_steps() if "collect" in step}
    conditions = [branch["if"] for step in all_steps() for branch in branches(step) if "if" in branch]

    assert collected <= slots.keys()
    for condition in conditions:
        comparison = re.fullmatch(r"slots\.(\w+) == '(\w+)'", condition)
        assert comparison, f"this test cannot read {condition!r}"
        assert comparison[2] in slots[comparison[1]]["values"]


def test_persisted_slots_are_filled_by_the_flow_itself() -> None:
    """Rasa refuses to train a flow that persists a slot without a collect or set_slots step for it."""
    for flow in flows().values():
        filled = {step["collect"] for step in steps(flow["steps"]) if "collect" in step}

        assert set(flow.get("persisted_slots", [])) <= filled


def test_the_llm_fills_only_what_the_user_says() -> None:
    """What the actions find out is controlled: the LLM cannot invent a reference or claim a booking."""
    mappings = {name: slot["mappings"] for name, slot in read(CALM / "domain.yml")["slots"].items()}

    assert mappings == {
        "appointment_type": [{"type": "from_llm"}],
        "preferred_date": [{"type": "from_llm"}],
        "urgent_slot": [{"type": "controlled"}],
        "booking_reference": [{"type": "controlled"}],
        "booking_status": [{"type": "controlled"}],
    }


def test_each_collected_slot_has_a_question() -> None:
    """A collect step asks with utter_ask_<slot> or action_ask_<slot>."""
    domain = read(CALM / "domain.yml")
    asked = {*domain["responses"], *domain["actions"]}

    for step in all_steps():
        if "collect" in step:
            assert {f"utter_ask_{step['collect']}", f"action_ask_{step['collect']}"} & asked


def test_each_slot_of_a_form_has_a_question_and_a_mapping_for_that_form() -> None:
    """A form asks with utter_ask_<slot>, and the answer fills the slot while that form is active."""
    domain = read(CLASSIC / "domain.yml")
    conditions = {
        (name, condition["active_loop"], condition["requested_slot"])
        for name, slot in domain["slots"].items()
        for mapping in slot["mappings"]
        for condition in mapping.get("conditions", [])
    }

    assert conditions == {
        ("appointment_type", "appointment_type_form", "appointment_type"),
        ("preferred_date", "appointment_form", "preferred_date"),
    }
    for form in domain["forms"].values():
        assert {f"utter_ask_{slot}" for slot in form["required_slots"]} <= domain["responses"].keys()


def test_each_name_of_a_rule_is_in_the_classic_domain() -> None:
    """Intents, actions, forms and slots of the rules exist."""
    domain = read(CLASSIC / "domain.yml")
    slots = {name for entry in rule_entries("slot_was_set") for pair in entry for name in pair}

    assert set(rule_entries("intent")) <= set(domain["intents"])
    assert set(rule_entries("action")) <= {
        *domain["actions"],
        *domain["forms"],
        *domain["responses"],
        *DEFAULT_ACTIONS,
    }
    assert set(rule_entries("active_loop")) - {None} <= domain["forms"].keys()
    assert slots - {"requested_slot"} <= domain["slots"].keys()


def test_each_slot_that_a_rule_branches_on_influences_the_conversation() -> None:
    """RulePolicy does not see a slot that does not; a rule for its value would never be chosen."""
    slots = read(CLASSIC / "domain.yml")["slots"]
    branched = {
        (name, value)
        for entry in rule_entries("slot_was_set")
        for pair in entry
        for name, value in pair.items()
        if name != "requested_slot"
    }

    assert branched == {
        *(("appointment_type", value) for value in slots["appointment_type"]["values"]),
        *(("booking_status", value) for value in slots["booking_status"]["values"]),
    }
    assert all(slots[name]["influence_conversation"] for name, _ in branched)


def test_nothing_listens_between_booking_and_its_outcome() -> None:
    """A rule that ends with the booking hands over to the rules for its outcome instead of waiting for the user."""
    booking = [rule for rule in rules() if rule["steps"][-1] == {"action": "action_create_appointment"}]

    assert booking
    assert all(rule["wait_for_user_input"] is False for rule in booking)


def test_the_training_data_is_of_the_classic_domain() -> None:
    """Each intent has examples, each marked entity exists, and each synonym is a value of the slot."""
    domain = read(CLASSIC / "domain.yml")
    nlu = read(CLASSIC / "data" / "nlu.yml")["nlu"]
    examples = "".join(block["examples"] for block in nlu if "intent" in block)

    assert {block["intent"] for block in nlu if "intent" in block} == set(domain["intents"])
    assert set(re.findall(r"\]\((\w+)\)", examples)) == set(domain["entities"])
    assert {block["synonym"] for block in nlu if "synonym" in block} == set(
        domain["slots"]["appointment_type"]["values"]
    )


def test_the_buttons_of_both_projects_offer_every_type() -> None:
    """A button sends a value that the slot accepts, in the notation of its engine."""
    kinds = read(CALM / "domain.yml")["slots"]["appointment_type"]["values"]
    payloads = {
        project: [
            button["payload"]
            for button in read(project / "domain.yml")["responses"]["utter_ask_appointment_type"][0]["buttons"]
        ]
        for project in (CALM, CLASSIC)
    }

    assert payloads == {
        CALM: [f"/SetSlots(appointment_type={kind})" for kind in kinds],
        CLASSIC: [f'/inform{{{{"appointment_type": "{kind}"}}}}' for kind in kinds],
    }


def test_both_projects_share_their_slots_and_actions() -> None:
    """One action server serves both: same action names, same slots, same values."""
    calm, classic = (read(project / "domain.yml") for project in (CALM, CLASSIC))
    shapes = [
        {name: (slot["type"], slot.get("values")) for name, slot in domain["slots"].items()}
        for domain in (calm, classic)
    ]

    assert calm["actions"] == classic["actions"]
    assert shapes[0] == shapes[1]


def test_the_actions_of_both_projects_exist_in_the_code() -> None:
    """The names in the domains are those of the clinic's action classes."""
    module = importlib.import_module("actions.appointments")
    names = {module.ActionCheckUrgentSlots().name(), module.ActionCreateAppointment().name()}

    assert set(read(CALM / "domain.yml")["actions"]) == names


def test_the_two_projects_can_be_told_apart() -> None:
    """Each event carries the assistant's id; two assistants with one id cannot be separated in an event broker."""
    ids = {read(project / "config.yml")["assistant_id"] for project in (CALM, CLASSIC)}

    assert len(ids) == 2


def test_the_end_to_end_cases_name_only_what_exists() -> None:
    """Flows, slots, actions and responses of the cases are the project's."""
    domain = read(CALM / "domain.yml")
    known = {
        "flow_started": flows().keys(),
        "action_executed": set(domain["actions"]),
        "slot_was_set": domain["slots"].keys(),
        "bot_uttered": domain["responses"].keys(),
        "bot_did_not_utter": domain["responses"].keys(),
    }

    for kind, value in e2e_entries():
        if isinstance(value, list):
            names = {entry["name"] for entry in value}
        else:
            names = {value["utter_name"] if isinstance(value, dict) else value}
        assert names <= known[kind], kind


@pytest.mark.parametrize("path", [ROOT / "endpoints.yml", CLASSIC / "endpoints.yml"], ids=["shared", "classic"])
def test_both_engines_call_the_same_action_server(path: Path) -> None:
    """The URL is complete: an engine calls it as it stands, without adding /webhook."""
    assert read(path)["action_endpoint"] == {"url": WEBHOOK}


def test_the_llm_is_defined_and_its_key_is_not_in_the_file() -> None:
    """The command generator's model group exists, and its key is a reference to an environment variable."""
    groups = {group["id"]: group["models"] for group in read(ROOT / "endpoints.yml")["model_groups"]}
    generator = read(CALM / "config.yml")["pipeline"][0]

    models = groups[generator["llm"]["model_group"]]

    assert all(re.fullmatch(r"\$\{\w+\}", model["api_key"]) for model in models)


def test_the_classic_endpoints_need_no_environment_variable() -> None:
    """Rasa Open Source does not start while a variable of its endpoints file is not set."""
    assert "${" not in (CLASSIC / "endpoints.yml").read_text(encoding="utf-8")


def test_the_commented_settings_are_accepted_once_they_are_uncommented(tmp_path: Path) -> None:
    """The block that endpoints.yml shows is what the server's and the clinic's settings take."""
    _, start, block = (ROOT / "endpoints.yml").read_text(encoding="utf-8").partition("# action_server:")
    path = tmp_path / "endpoints.yml"
    path.write_text((start + block).replace("\n# ", "\n").removeprefix("# "), encoding="utf-8")

    services = settings.read({"endpoints": path}, {}).services

    assert services["clinic"]["database"] == "appointments.sqlite3"
    ClinicSettings.read(services)
