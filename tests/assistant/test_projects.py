"""The CALM project, the classic project and endpoints.yml agree with each other, with the seed and with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from ruamel.yaml import YAML

from action_server.config import settings
from action_server.runtime.loader import load
from actions.settings import ClinicSettings
from actions.slots import Outcome
from tests.assistant.reading import (
    CALM,
    CLASSIC,
    ROOT,
    all_steps,
    branches,
    flows,
    read,
    rule_entries,
    rules,
    steps,
    targets,
)

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


def test_the_booking_asks_for_another_date_only_if_that_helps() -> None:
    """Booked ends the flow, and so does a book that did not answer; anything else asks for another date."""
    confirm = flows()["book_appointment"]["steps"][-1]

    assert confirm["next"] == [
        {"if": "slots.booking_status == 'booked'", "then": "END"},
        {"if": "slots.booking_status == 'failed'", "then": "END"},
        {"else": "ask_preferred_date"},
    ]


def test_nothing_is_cancelled_without_a_question_that_clears_old_answers() -> None:
    """A yes to something else, said before, is no yes to this."""
    ids = [step["id"] for step in flows()["cancel_appointment"]["steps"]]
    confirm = flows()["cancel_appointment"]["steps"][ids.index("confirm")]

    assert ids == ["look_up", "choose", "confirm", "cancel"]
    assert confirm["ask_before_filling"] is True


def test_every_value_that_a_flow_or_rule_branches_on_is_one_that_an_action_sets() -> None:
    """The domain's lists are those of the code."""
    hints = get_type_hints(Outcome)
    for domain in (read(CALM / "domain.yml"), read(CLASSIC / "domain.yml")):
        for slot in ("booking_status", "appointments_found"):
            values = {value for part in get_args(hints[slot]) for value in get_args(part)}
            assert set(domain["slots"][slot]["values"]) == values


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
    said = {"appointment_type", "preferred_date", "appointment_choice", "cancellation_confirmed"}

    assert mappings == {name: [{"type": "from_llm" if name in said else "controlled"}] for name in mappings}


def test_each_collected_slot_has_exactly_one_question() -> None:
    """A collect step asks with utter_ask_<slot> and with action_ask_<slot>: with both, if there are both."""
    domain = read(CALM / "domain.yml")
    asked = {*domain["responses"], *domain["actions"]}

    for step in all_steps():
        if "collect" in step:
            assert len({f"utter_ask_{step['collect']}", f"action_ask_{step['collect']}"} & asked) == 1


def test_each_slot_of_a_form_has_a_question_and_a_mapping_for_that_form() -> None:
    """The answer fills the slot while that form is active and asks for it."""
    domain = read(CLASSIC / "domain.yml")
    conditions = {
        (name, condition["active_loop"], condition["requested_slot"])
        for name, slot in domain["slots"].items()
        for mapping in slot["mappings"]
        for condition in mapping.get("conditions", [])
    }
    asked = {*domain["responses"], *domain["actions"]}

    assert conditions == {
        ("appointment_type", "appointment_type_form", "appointment_type"),
        ("preferred_date", "appointment_form", "preferred_date"),
        ("preferred_date", "reschedule_form", "preferred_date"),
        ("appointment_choice", "cancel_form", "appointment_choice"),
        ("appointment_choice", "reschedule_form", "appointment_choice"),
        ("cancellation_confirmed", "cancel_form", "cancellation_confirmed"),
    }
    for form in domain["forms"].values():
        for slot in form["required_slots"]:
            assert len({f"utter_ask_{slot}", f"action_ask_{slot}"} & asked) == 1


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
        *(("booking_status", value) for value in ("booked", "rescheduled", "unavailable", "failed")),
    }
    assert all(slots[name]["influence_conversation"] for name, _ in branched)


@pytest.mark.parametrize("action", ["action_create_appointment", "action_reschedule_appointment"])
def test_nothing_listens_between_an_action_and_its_outcome(action: str) -> None:
    """A rule that ends with the action hands over to the rules for its outcome instead of waiting for the user."""
    acting = [rule for rule in rules() if rule["steps"][-1] == {"action": action}]

    assert acting
    assert all(rule["wait_for_user_input"] is False for rule in acting)


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
    """One action server serves both: same action names but those of the engines' validations, same slots and values."""
    calm, classic = (read(project / "domain.yml") for project in (CALM, CLASSIC))
    shapes = [
        {name: (slot["type"], slot.get("values")) for name, slot in domain["slots"].items()}
        for domain in (calm, classic)
    ]
    actions = [[name for name in domain["actions"] if name.startswith("action_")] for domain in (calm, classic)]

    assert actions[0] == actions[1]
    assert shapes[0] == shapes[1]


def test_each_validation_of_a_domain_is_for_a_slot_or_form_that_it_has() -> None:
    """A flow validates validate_<slot>, a form validate_<form>."""
    calm, classic = (read(project / "domain.yml") for project in (CALM, CLASSIC))
    collected = {step["collect"] for step in all_steps() if "collect" in step}

    assert {name for name in calm["actions"] if name.startswith("validate_")} <= {f"validate_{s}" for s in collected}
    assert {name for name in classic["actions"] if name.startswith("validate_")} <= {
        f"validate_{form}" for form in classic["forms"]
    }


def test_the_actions_of_both_projects_are_those_of_the_code() -> None:
    """None is missing on either side."""
    listed = {name for project in (CALM, CLASSIC) for name in read(project / "domain.yml")["actions"]}

    assert listed == {action.name for action in load("actions").registry}


def test_the_two_projects_can_be_told_apart() -> None:
    """Each event carries the assistant's id; two assistants with one id cannot be separated in an event broker."""
    ids = {read(project / "config.yml")["assistant_id"] for project in (CALM, CLASSIC)}

    assert len(ids) == 2


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

    services = settings.read({"endpoints": path}, {"CALDAV_PASSWORD": "hunter2"}).services

    assert services["clinic"]["database"] == "appointments.sqlite3"
    assert services["clinic"]["scheduling"]["password"] == "hunter2"
    ClinicSettings.read(services)
