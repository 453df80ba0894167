"""The flow policy: takes one step after another until the user is to speak.

What engines do here was read in rasa-pro 3.21.0 (rasa/core/policies/flows/flow_executor.py and flow_policy.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from action_server.flows.player.actions import Actions, Outcome
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.endings import end_endless_flow, end_flow, fail_flow, push_error
from action_server.flows.player.silence import note_silence
from action_server.flows.player.stack import NEXT, PATTERN_COLLECT, Frame
from action_server.flows.player.tools import Tools, arguments_of, error_of, slots_of
from action_server.flows.player.trace import ActionCall, StepTaken
from action_server.flows.player.webhook import ActionReply
from action_server.project.conditions import render_template
from action_server.project.flows import (
    END,
    START,
    ActionStep,
    CallStep,
    CollectStep,
    Flow,
    LinkStep,
    SetSlotsStep,
    Step,
)
from action_server.project.places import UnsupportedError
from action_server.project.tool_mapping import read_mapping

# What Rasa Pro 3.21.0 allows: so many steps from one action to the next (MAX_NUMBER_OF_STEPS of its flow executor), and
# so many actions in a turn (MAX_NUMBER_OF_PREDICTIONS_CALM of its processor, a variable of its environment).
MOST_STEPS = 250
MOST_ACTIONS = 1000


class LostTurn(Exception):  # noqa: N818 - a signal: the player forgets the turn
    """Something failed while the next step was looked for. Engines lose the whole turn then, the message included."""


class Policy:
    """Plays the stack of a dialogue."""

    def __init__(
        self,
        dialogue: Dialogue,
        actions: Actions,
        most_steps: int = MOST_STEPS,
        most_actions: int = MOST_ACTIONS,
        tools: Tools | None = None,
        sub_agents: Mapping[str, ActionReply] | None = None,
    ) -> None:
        self._frames = dialogue.frames
        self._stack = dialogue.stack
        self._recorder = dialogue.recorder
        self._events = dialogue.events
        self._state = dialogue.state
        self._flows = dialogue.flows
        self._domain = dialogue.domain
        self._conditions = dialogue.conditions
        self._actions = actions
        self._most_steps = most_steps
        self._tools = tools
        self._sub_agents = sub_agents or {}
        self._most_actions = most_actions

    async def run(self) -> None:
        """Take steps until an action listens, nothing is left to do, or the conversation is paused or over.

        Raises:
            UnsupportedError: a step that the player does not play.
            LostTurn: no step can be found; what happened in the turn is to be forgotten.
        """
        first = executed = self._actions.executed
        steps = 0
        is_stopped = False
        while executed - first < self._most_actions:
            if self._state.is_paused or self._state.has_ended:
                return
            if await self._take_step() is Outcome.LISTEN:
                return
            # An action begins the count of steps anew, as each is a prediction of its own.
            steps = steps + 1 if self._actions.executed == executed else 0
            executed = self._actions.executed
            if steps >= self._most_steps:
                self._note_endless(f"{self._most_steps} steps without an action")
                if is_stopped:
                    self._stack.clear()
                    return
                end_endless_flow(self._frames)
                steps, is_stopped = 0, True
        # Engines predict no more, say nothing, and leave the stack as it is.
        self._note_endless(f"{self._most_actions} actions")

    async def _take_step(self) -> Outcome:
        self._events.emit_stack()
        if self._state.followup:
            return await self._run_followup()
        frame = self._stack.top
        if frame is None:
            return await self._actions.run("action_listen", None)
        flow = self._flows.get(frame.flow_id)
        if flow is None:
            self._recorder.add_failure(f"there is no flow {frame.flow_id!r}", frame=frame)
            raise LostTurn
        target = self._find_next_step(frame, flow)
        if target == END:
            if frame.flow_id == PATTERN_COLLECT:
                note_silence(self._state, self._events)
            end_flow(self._frames, self._recorder, frame, flow)
            return Outcome.GO_ON
        step = flow.step(target)
        if step is None:
            self._recorder.add_failure(f"the flow {flow.id!r} has no step {target!r}", flow.at, frame)
            raise LostTurn
        before, frame.step_id = frame.step_id, step.id
        frame.visited.append(step.id)
        if before == START:
            self._begin(frame, step)
        taken = self._recorder.add_step(frame, StepTaken(flow.id, step.id, step.kind, step.what, step.at))
        outcome = await self._execute(frame, step, taken)
        if outcome is not Outcome.REJECTED:
            return outcome
        # Nothing else is predicted, and the next message comes to the same action.
        frame.step_id = before
        return await self._actions.run("action_listen", None)

    def _begin(self, frame: Frame, step: Step) -> None:
        """Tell that a flow has started. What waits on the stack has not."""
        metadata = self._stack.context_of(frame)
        self._events.emit({"event": "flow_started", "flow_id": frame.flow_id, "metadata": metadata})
        if not isinstance(step, CollectStep) and frame.flow_id not in (PATTERN_COLLECT, "pattern_user_silence"):
            note_silence(self._state, self._events)

    async def _run_followup(self) -> Outcome:
        name, self._state.followup = self._state.followup, ""
        frame = self._stack.top
        flow, step = (frame.flow_id, frame.step_id) if frame else ("", "")
        self._recorder.turn.steps.append(StepTaken(flow, step, "followup", f"action {name}, which an action asked for"))
        outcome = await self._actions.run(name, frame)
        if outcome is Outcome.REJECTED:
            return Outcome.GO_ON
        return self._fail_action() if outcome is Outcome.FAILED else outcome

    def _fail_action(self) -> Outcome:
        """Cancel the flow of an action that failed. Users are told the id of what is on top."""
        top = self._stack.top
        return fail_flow(self._frames, top.flow_id if top else "")

    def _find_next_step(self, frame: Frame, flow: Flow) -> str:
        """Return the step to go to, or END.

        Raises:
            LostTurn: no branch fits, or a condition cannot be rendered; the failure is recorded.
        """
        if frame.step_id == START:
            return flow.steps[0].id if flow.steps else END
        if frame.step_id == END:
            return END
        if frame.step_id.startswith(NEXT):
            return frame.step_id.removeprefix(NEXT)
        step = flow.step(frame.step_id)
        if step is None:
            self._recorder.add_failure(f"the flow {flow.id!r} has no step {frame.step_id!r}", flow.at, frame)
            raise LostTurn
        if isinstance(step, LinkStep):
            return END
        return self._choose_branch(frame, flow, step)

    def _choose_branch(self, frame: Frame, flow: Flow, step: Step) -> str:
        taken = self._recorder.last_step_of(frame)
        if taken is None or taken.step != step.id:
            taken = self._recorder.add_step(frame, StepTaken(flow.id, step.id, "resumed", step.what, step.at))
        for branch in step.next:
            if branch.condition is None:
                return branch.target
            decision = self._conditions.evaluate(branch.condition, frame, branch.target)
            taken.decisions.append(decision)
            if not decision.is_rendered:
                what = f"the condition {decision.condition!r} cannot be rendered: {decision.error}"
                self._recorder.add_failure(what, decision.at, frame)
                raise LostTurn
            if decision.value:
                return branch.target
        self._recorder.add_failure(f"no branch of the step {step.id!r} fits, and it has no `else`", step.at, frame)
        raise LostTurn

    async def _execute(self, frame: Frame, step: Step, taken: StepTaken) -> Outcome:
        if isinstance(step, ActionStep):
            return await self._run_action(frame, step, taken)
        if isinstance(step, CollectStep):
            return self._ask_for_slot(frame, step, taken)
        if isinstance(step, SetSlotsStep):
            for name, value in step.slots:
                self._events.set_slot(name, value)
            return Outcome.GO_ON
        if isinstance(step, LinkStep):
            return self._follow_link(frame, step)
        if isinstance(step, CallStep):
            return await self._call_tool(frame, step) if step.mcp_server else self._call_flow(frame, step)
        return Outcome.GO_ON

    async def _run_action(self, frame: Frame, step: ActionStep, taken: StepTaken) -> Outcome:
        name = step.action
        if "{" in name:
            # The context alone, as in conditions.
            values = {"context": self._stack.context_of(frame)}
            try:
                name = render_template(name, values)
            except Exception as exc:
                self._recorder.add_failure(f"the name {name!r} cannot be rendered: {exc}", step.at, frame)
                raise LostTurn from exc
            taken.what = f"action {name}"
            reason = self._explain_skip(name, frame)
            if reason:
                taken.notes.append(reason)
                taken.skipped = True
                return Outcome.GO_ON
        outcome = await self._actions.run(name, frame, step.at)
        return self._fail_action() if outcome is Outcome.FAILED else outcome

    def _explain_skip(self, name: str, frame: Frame) -> str:
        """Say why an action that a pattern only may have does not run; empty if it runs."""
        domain = self._domain
        asks = str(frame.context.get("collect_action") or frame.context.get("refill_action") or "")
        if name.startswith("utter_") and asks and domain.lists(asks):
            return f"{asks} asks instead"
        if self._actions.exists(name):
            return ""
        utter = str(frame.context.get("utter") or frame.context.get("refill_utter") or "")
        if name.startswith("utter_") or utter in domain.responses or not asks or name != asks:
            return f"the domain does not have {name}"
        # Neither asks: the action fails, and says so.
        return ""

    def _ask_for_slot(self, frame: Frame, step: CollectStep, taken: StepTaken) -> Outcome:
        slot = step.collect
        if problem := self._problem_of_question(step):
            self._recorder.add_failure(problem, step.at, frame)
            return fail_flow(self._frames, self._frames.name_of(frame))
        note_silence(self._state, self._events, step.silence_timeout)
        if step.ask_before_filling:
            if self._state.slots[slot] is not None:
                taken.notes.append(f"slot {slot} is emptied: ask_before_filling")
            self._events.set_slot(slot, None)
        asking = self._frames.make(
            PATTERN_COLLECT,
            collect=slot,
            utter=step.ask_utter,
            collect_action=step.ask_action,
            rejections=[{"if": r.condition.text, "utter": r.utter} for r in step.rejections],
        )
        asking.rejections = step.rejections
        self._stack.append(asking)
        return Outcome.GO_ON

    def _problem_of_question(self, step: CollectStep) -> str:
        """Say why a slot cannot be asked for; empty if it can be, or has a value from the start."""
        domain = self._domain
        if step.collect not in domain.slots:
            return f"the domain has no slot {step.collect!r}"
        can_ask = self._actions.exists(step.ask_utter) or self._actions.exists(step.ask_action)
        if can_ask or domain.slots[step.collect].initial_value is not None:
            return ""
        return f"the domain has neither {step.ask_utter} nor {step.ask_action}"

    def _follow_link(self, frame: Frame, step: LinkStep) -> Outcome:
        if step.link not in self._flows:
            self._recorder.add_failure(f"the link leads to {step.link!r}, and there is no such flow", step.at, frame)
            return fail_flow(self._frames, self._frames.name_of(frame))
        self._frames.link(step.link)
        return Outcome.GO_ON

    async def _call_tool(self, frame: Frame, step: CallStep) -> Outcome:
        if self._tools is None:
            raise UnsupportedError(f"the tool {step.call!r}: no endpoints file names MCP servers", step.at)
        mapping, before = read_mapping(step.mapping), dict(self._state.slots)
        reply = await self._tools.call(step.mcp_server, step.call, arguments_of(mapping, before), before)
        problem = reply.problem or error_of(reply.result)
        if not problem and not mapping.outputs:
            problem = "the step has no `output`, for which engines have no other end"
        try:
            found = {} if problem else slots_of(mapping, reply.result)
        except ValueError as exc:
            found, problem = {}, str(exc)
        for name, value in found.items():
            self._events.set_slot(name, value)
        status = 0 if reply.problem else 200
        name = f"{step.mcp_server}:{step.call}"
        self._recorder.add_call(
            ActionCall(name, status, reply.milliseconds, before, dict(self._state.slots), problem=problem)
        )
        if problem:
            self._recorder.add_failure(f"the tool {name} failed: {problem}", step.at, frame)
            # The flow is not cancelled: its next step follows.
            push_error(self._frames)
        return Outcome.GO_ON

    def _call_flow(self, frame: Frame, step: CallStep) -> Outcome:
        flow = self._flows.get(step.call)
        if flow is None:
            return self._play_sub_agent(frame, step)
        self._frames.push(self._frames.make(flow.id, "call"))
        return Outcome.GO_ON

    def _play_sub_agent(self, frame: Frame, step: CallStep) -> Outcome:
        stub = self._sub_agents.get(step.call)
        if stub is None:
            sub_agent = (
                "there is no such flow, and sub agents (a language model each) are played by stubs of a test only"
            )
            raise UnsupportedError(f"`call: {step.call}`: {sub_agent}", step.at)
        self._actions.play_sub_agent(step.call, stub, frame)
        exits = [self._conditions.evaluate(condition, frame, END) for condition in step.exit_if]
        if exits and not any(decision.value for decision in exits):
            problem = "after what its stub does, none of `exit_if` is true, so that the agent would go on talking"
            raise UnsupportedError(f"`call: {step.call}`: {problem}", step.at)
        return Outcome.GO_ON

    def _note_endless(self, limit: str) -> None:
        counted = Counter(
            (s.flow, s.step, s.at) for s in self._recorder.turn.steps if not s.flow.startswith("pattern_")
        )
        often = [entry for entry, _ in counted.most_common(3)]
        steps = ", ".join(f"{step} of {flow} ({at})" for flow, step, at in often) or "none of a flow"
        self._recorder.add_failure(
            f"the turn did not end within {limit}, which is what engines allow; taken most: {steps}",
            often[0][2] if often else None,
        )
