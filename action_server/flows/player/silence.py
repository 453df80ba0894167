"""How long engines wait before they ask whether somebody is still there: the slot `silence_timeout`.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from action_server.flows.player.event_log import EventLog
from action_server.flows.player.state import State

_SLOT = "silence_timeout"
# Seconds, where neither the step nor the channel says it (rasa-pro 3.21.0, read).
_DEFAULT = 30.0


def note_silence(state: State, events: EventLog, seconds: float | None = None) -> None:
    """Set the slot to ``seconds``, None for the default, if it is not that already."""
    wanted = _DEFAULT if seconds is None else seconds
    if _SLOT in state.slots and state.slots[_SLOT] != wanted:
        events.set_slot(_SLOT, wanted)
