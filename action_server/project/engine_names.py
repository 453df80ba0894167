"""Names that every engine knows, whatever the project: default actions, intents, slots.

They were read in rasa-pro 3.21.0 and in rasa 3.6.21.
"""

from __future__ import annotations

# Rasa's reference, "Default actions", of Rasa Open Source 3.6 and of Rasa Pro; and the names its patterns use.
DEFAULT_ACTIONS = frozenset(
    [
        "action_listen",
        "action_restart",
        "action_session_start",
        "action_default_fallback",
        "action_deactivate_loop",
        "action_revert_fallback_events",
        "action_default_ask_affirmation",
        "action_default_ask_rephrase",
        "action_two_stage_fallback",
        "action_unlikely_intent",
        "action_back",
        "action_send_text",
        "action_extract_slots",
        "action_validate_slot_mappings",
        "action_cancel_flow",
        "action_correct_flow_slot",
        "action_clarify_flows",
        "action_run_slot_rejections",
        "action_clean_stack",
        "action_trigger_search",
        "action_trigger_chitchat",
        "action_reset_routing",
        "action_hangup",
        "action_repeat_bot_messages",
        "action_continue_interrupted_flow",
        "action_cancel_interrupted_flows",
        "action_trigger_flow",
        "action_block_user",
        "action_handle_digressions",
        "action_continue_digression",
        "action_disconnect",
        "action_session_end",
        "...",
    ]
)
# Sent by engines and channels themselves, or read by the engine.
DEFAULT_INTENTS = frozenset(
    [
        "restart",
        "back",
        "session_start",
        "session_end",
        "nlu_fallback",
        "out_of_scope",
        "silence_timeout",
        "vaig_event_start",
        "USER_SILENCE",
        "EXTERNAL",
    ]
)
DEFAULT_SLOTS = frozenset(
    [
        "requested_slot",
        "session_started_metadata",
        "flow_hashes",
        "route_session_to_calm",
        "return_value",
        "language",
        "mocked_datetime",
        "confirm_slots",
        "corrected_slots",
        "previous_slots",
        "confirm_correction",
        "continue_conversation",
        "silence_timeout",
        "consecutive_silence_timeouts",
        "csat_score",
        "continue_interrupted_flow_confirmation",
        "interrupted_flow_to_continue",
        "max_clarification_options",
        "knowledge_base_objects",
        "knowledge_base_last_object",
        "knowledge_base_last_object_type",
        "knowledge_base_listed_objects",
        "object_type",
        "mention",
        "attribute",
    ]
)
# `utter_faq` says one of `utter_faq/...`; `respond_faq` is its old name.
UTTER = "utter_"


def is_default_action(name: str) -> bool:
    """Tell an action that engines bring along; `flow_<id>` starts a flow."""
    return name in DEFAULT_ACTIONS or name.startswith(("flow_", "respond_"))


def action_of_function(name: str) -> str:
    """Return what the action of a typed function is called, if its author says nothing else."""
    return name if name.startswith("action_") else f"action_{name.lstrip('_')}"
