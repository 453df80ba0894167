"""Requests as an engine sends them, and trackers, for tests that need no more of the kit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasa_sdk import Tracker

from action_server.config.settings import Settings
from action_server.flows.player.request_body import ENGINE_VERSION
from action_server.project.domain import Domain
from action_server.protocol.calls import call_from
from action_server.protocol.jsonable import JsonObject
from action_server.protocol.tracker import tracker_of
from action_server.testing.tested_project import TestedProject
from action_server.testing.trackers import Turn, begin, call_of, take_turn


def webhook_request(
    action: str,
    slots: Mapping[str, Any] | None = None,
    *,
    sender: str = "default",
    domain: Mapping[str, Any] | None = None,
    version: str = ENGINE_VERSION,
    **turn: Any,
) -> JsonObject:
    """Return the body of ``POST /webhook`` that an engine of this ``version`` sends, as a dict for JSON.

    The conversation begins with it. ``slots`` are set in it, the last of its events, as a form's candidates are;
    ``turn`` is what :meth:`ActionClient.call` takes: ``said``, ``intent``, ``entities``, ``metadata``, ``channel``,
    ``stack``, ``active_form``. ``domain`` is sent along, with its digest where the version has one; without one it is
    empty, so that a server does not ask for it.

    Raises:
        TypeError: something is given that a turn has not.
    """
    project = TestedProject(Path(), Settings(), Domain(raw=domain or {}))
    state = begin(project, sender, time.time)
    take_turn(project, state, Turn(slots or {}, **turn))
    return call_of(action, state, project, version)


def make_tracker(slots: Mapping[str, Any] | None = None, *, sender: str = "default", **turn: Any) -> Tracker:
    """Return the tracker that an action gets in the first turn of a conversation, for code that takes one.

    The arguments are those of :func:`webhook_request`.

    Raises:
        TypeError: something is given that a turn has not.
    """
    return tracker_of(call_from(webhook_request("action_listen", slots, sender=sender, **turn)))
