"""By which route a result reaches its conversation: what the author and the settings say, else engine and channel.

Which channels an engine can speak on by itself was read in the code of Rasa Open Source 3.6.21 and of rasa-pro 3.21.0:
those whose input channel has a ``get_output_channel``. On all others the engine says nothing: it answers 200 and keeps
the text in its tracker [run, Rasa Open Source 3.6.21].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from action_server.jobs.engine_settings import DeliverySettings, EngineSettings, Route
from action_server.jobs.handover import Delivery
from action_server.jobs.origin import TOOLS

# Channels on which the engine speaks by itself, and those on which it only answers.
_PUSHING = frozenset(
    {"callback", "facebook", "inspector", "rocketchat", "slack", "socketio", "telegram", "twilio", "webexteams"}
)
_ANSWERING = frozenset({TOOLS, "botframework", "cmdline", "hangouts", "mattermost", "rasa", "rest"})
# Those that push and take a plain message over HTTP.
_TAKES_MESSAGES = "callback"
# Rasa Open Source: https://github.com/RasaHQ/rasa has no later one, and Rasa Pro took up at 3.7.
_OPEN_SOURCE = re.compile(r"[0-2]\.|3\.[0-6](\.|$)")

# What rasa-pro 3.21.0 reads of `/SetSlots(a=1)` [read]: values without these, ten of them, and these are nothing.
_NOT_IN_PAYLOADS = re.compile(r"[(),=\r\n\[\]]")
_MOST_IN_PAYLOAD = 10
_NOTHING = ("none", "null", "undefined")

# A path of the engine's API takes the rest of the URL as the conversation's id, slashes included, and undoes no
# %-escape: `a%20b` is another conversation than `a b` [run, Sanic 21.12.2, which Rasa Open Source 3.6.21 takes, and
# 25.12.1]. So an id goes there as it is, and one with other signs cannot.
_IN_A_PATH = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Conversation:
    """What the engine told of a conversation: its events, oldest first, the channel used last, and its stack."""

    events: Sequence[Mapping[str, Any]] = ()
    channel: str = ""
    stack: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def collects(self) -> str | None:
        """The slot a flow waits for; None if none does."""
        top = self.stack[-1] if self.stack else {}
        is_collecting = top.get("type") == "pattern_collect_information"
        return str(top.get("collect")) if is_collecting else None

    @property
    def has_user(self) -> bool:
        """Whether somebody has said something."""
        return any(event.get("event") == "user" for event in self.events)


class Choice(NamedTuple):
    """A route, and why it is that one: for the log."""

    route: Route
    why: str


def can_be_named(conversation: str) -> bool:
    """Tell whether the engine's API has a way to say this conversation's id: ASCII, without blanks, ``?`` and ``#``."""
    return bool(_IN_A_PATH.fullmatch(conversation)) and not {"?", "#"} & set(conversation)


def choose_unseen(delivery: Delivery, settings: EngineSettings) -> Choice | None:
    """Return the route that can be told without asking the engine; None if it has to be asked for the conversation."""
    set_here = _set_route(delivery, settings, delivery.origin.channel)
    if settings.engine is None and set_here is None:
        return Choice("pick-up", f"no engine is set (`{DeliverySettings.place(delivery.origin.engine, 'engine')}`)")
    if set_here is not None and set_here.route == "pick-up":
        return set_here
    if set_here is None and not can_be_named(delivery.conversation):
        return Choice("pick-up", "the engine's API cannot name this conversation: its id has signs that no URL has")
    if set_here is None and delivery.intent is None and delivery.origin.channel in _ANSWERING:
        return Choice("pick-up", f"the engine only answers on the channel {delivery.origin.channel}")
    return None


def choose(delivery: Delivery, conversation: Conversation, settings: EngineSettings) -> Choice:
    """Return the route for a conversation as it is now."""
    origin, channel = delivery.origin, conversation.channel or delivery.origin.channel
    set_here = _set_route(delivery, settings, channel)
    if set_here is not None:
        return set_here
    has_flows = origin.has_flows or bool(conversation.stack)
    if delivery.intent is not None and not has_flows:
        # Also on a channel that only answers: the assistant's rules may do more than speak.
        return Choice("trigger-intent", "the result starts an intent")
    if not _speaks(channel, origin.version):
        return Choice("pick-up", _why_silent(channel))
    if conversation.collects in delivery.slots and channel == _TAKES_MESSAGES and payload_of(delivery.slots):
        return Choice("set-slots", f"a flow waits for the slot {conversation.collects}")
    why = "an intent starts nothing where flows run" if delivery.intent is not None else f"it speaks on {channel}"
    return Choice("tracker-events", why)


def payload_of(slots: Mapping[str, Any]) -> str | None:
    """Return the message that sets these slots in a flow; None if it cannot hold one of the values."""
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in slots.items()}
    for name, text in texts.items():
        is_plain = isinstance(slots[name], (str, int, float)) and text.strip() == text != ""
        if not is_plain or _NOT_IN_PAYLOADS.search(name + text) or text.lower() in _NOTHING:
            return None
    if not 0 < len(texts) <= _MOST_IN_PAYLOAD:
        return None
    return f"/SetSlots({', '.join(f'{name}={text}' for name, text in texts.items())})"


def _set_route(delivery: Delivery, settings: EngineSettings, channel: str) -> Choice | None:
    if delivery.route is not None:
        return Choice(delivery.route, "the job says so")
    if channel in settings.channels:
        return Choice(settings.channels[channel], f"set for the channel {channel}")
    return None if settings.route == "auto" else Choice(settings.route, "set for all channels")


def _speaks(channel: str, version: str) -> bool:
    # There it calls asyncio.run within its event loop, which raises [read].
    is_broken = channel == "telegram" and bool(_OPEN_SOURCE.match(version))
    return channel in _PUSHING and not is_broken


def _why_silent(channel: str) -> str:
    if not channel:
        return "the conversation has no channel"
    if channel in _ANSWERING or channel in _PUSHING:
        return f"the engine only answers on the channel {channel}"
    return f"nobody knows whether the engine speaks on the channel {channel}: say so in `delivery.channels`"
