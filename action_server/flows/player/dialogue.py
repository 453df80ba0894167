"""A conversation while it is played: its parts, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from action_server.flows.player.conditions import Conditions
from action_server.flows.player.event_log import EventLog
from action_server.flows.player.frames import Frames
from action_server.flows.player.response_generator import ResponseGenerator
from action_server.flows.player.stack import Stack
from action_server.flows.player.state import State
from action_server.flows.player.turn_recorder import TurnRecorder
from action_server.project.domain import Domain
from action_server.project.flows import Flow
from action_server.project.project import Project


class Dialogue:
    """The parts of one conversation, for those who need most of them; the others are given the one they need."""

    def __init__(
        self, project: Project, *, sender_id: str, channel: str, seed: int, clock: Callable[[], float]
    ) -> None:
        self.domain: Domain = project.domain
        self.flows: Mapping[str, Flow] = project.all_flows
        self.state = State(self.domain, sender_id=sender_id, channel=channel, clock=clock)
        self.stack: Stack = self.state.stack
        self.recorder = TurnRecorder()
        self.events = EventLog(self.state, self.recorder)
        self.frames = Frames(self.flows, self.state, self.events, seed)
        self.conditions = Conditions(self.state, self.recorder)
        self.responses = ResponseGenerator(self.state, self.conditions, self.events, self.recorder, seed)
