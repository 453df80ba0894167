"""The end-to-end cases of the CALM project, as far as they can be checked without its engine."""

from __future__ import annotations

from tests.assistant.reading import CALM, e2e_entries, flows, read


def test_the_end_to_end_cases_name_only_what_exists() -> None:
    """Flows, slots, actions and responses of the cases are the project's."""
    domain = read(CALM / "domain.yml")
    known = {
        "flow_started": flows().keys(),
        "flow_cancelled": flows().keys(),
        "action_executed": set(domain["actions"]),
        "slot_was_set": domain["slots"].keys(),
        "bot_uttered": domain["responses"].keys(),
        "bot_did_not_utter": domain["responses"].keys(),
    }

    for kind, value in e2e_entries():
        if isinstance(value, list):
            names = {entry["name"] for entry in value}
        else:
            names = set(value.values()) if isinstance(value, dict) else {value}
        assert names <= known[kind], kind


def test_the_end_to_end_cases_play_every_flow() -> None:
    """And more than once the seed's."""
    started = [value for kind, value in e2e_entries() if kind == "flow_started"]

    assert set(started) == set(flows())
    assert started.count("book_appointment") > 2
