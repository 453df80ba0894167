"""The flow policy: takes one step after another until the user is to speak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from action_server.flows.player.actions import Actions, Outcome
from action_server.flows.player.default_actions import start_linked_flow
from action_server.flows.player.dialogue import Dialogue
from action_server.flows.player.endings import end_flow, fail_flow
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
        self._responses = dialogue.responses
        self._actions = actions
        self._most_steps = most_steps
        self._tools = tools
        self._sub_agents = sub_agents or {}
        self._most_actions = most_actions

    async def run(self) -> None:
        """Take steps until an action listens, nothing is left to do, or the conversation is paused or over.

        Raises:
            UnsupportedError: a step that the player does not play.
        """
        first = executed = self._actions.executed
        steps = 0
        while executed - first < self._most_actions:
            if self._state.is_paused or self._state.has_ended:
                return
            if await self._take_step() is Outcome.LISTEN:
                return
            # An action begins the count of steps anew, as each is a prediction of its own.
            steps = steps + 1 if self._actions.executed == executed else 0
            executed = self._actions.executed
            if steps >= self._most_steps:
                self._stop_endless_steps()
                return
        # Engines predict no more, say nothing, and leave the stack as it is.
        self._note_endless(f"{self._most_actions} actions")

    async def _take_step(self) -> Outcome:
        self._events.emit_stack()
        if self._state.followup:
            return await self._run_followup()
        frame = self._stack.top
        if frame is None:
            return await self._actions.run("action_listen", None)
        self._emit_resumed(frame)
        flow = self._flows.get(frame.flow_id)
        if flow is None:
            self._recorder.add_failure(f"there is no flow {frame.flow_id!r}", frame=frame)
            return fail_flow(self._frames, frame)
        target = self._find_next_step(frame, flow)
        if target is None:
            return fail_flow(self._frames, frame)
        if target == END:
            end_flow(self._frames, self._recorder, frame, flow)
            return Outcome.GO_ON
        step = flow.step(target)
        if step is None:
            self._recorder.add_failure(f"the flow {flow.id!r} has no step {target!r}", flow.at, frame)
            return fail_flow(self._frames, frame)
        frame.step_id = step.id
        frame.visited.append(step.id)
        taken = self._recorder.add_step(frame, StepTaken(flow.id, step.id, step.kind, step.what, step.at))
        return await self._execute(frame, step, taken)

    async def _run_followup(self) -> Outcome:
        name, self._state.followup = self._state.followup, ""
        frame = self._stack.top
        flow, step = (frame.flow_id, frame.step_id) if frame else ("", "")
        self._recorder.turn.steps.append(StepTaken(flow, step, "followup", f"action {name}, which an action asked for"))
        outcome = await self._actions.run(name, frame)
        return fail_flow(self._frames, frame) if outcome is Outcome.FAILED else outcome

    def _emit_resumed(self, frame: Frame) -> None:
        """Tell that an interrupted flow goes on, once its own frame or its question is on top again."""
        stack = self._stack
        index = len(stack) - 1
        owner = stack[index - 1] if frame.flow_id == PATTERN_COLLECT and index else frame
        root = stack.root_of(owner) if owner.is_flow else None
        if root is not None and root.interrupted:
            root.interrupted = False
            self._frames.emit("flow_resumed", root)

    def _find_next_step(self, frame: Frame, flow: Flow) -> str | None:
        """Return the step to go to, or END; None, with a failure recorded, if no branch fits."""
        if frame.step_id == START:
            return flow.steps[0].id if flow.steps else END
        if frame.step_id == END:
            return END
        if frame.step_id.startswith(NEXT):
            return frame.step_id.removeprefix(NEXT)
        step = flow.step(frame.step_id)
        if step is None:
            self._recorder.add_failure(f"the flow {flow.id!r} has no step {frame.step_id!r}", flow.at, frame)
            return None
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
                return None
            if decision.value:
                return branch.target
        self._recorder.add_failure(f"no branch of the step {step.id!r} fits, and it has no `else`", step.at, frame)
        return None

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
            # The context alone, as in conditions (rasa-pro 3.21.0, read).
            values = {"context": self._stack.context_of(frame)}
            try:
                name = render_template(name, values)
            except Exception as exc:  # noqa: BLE001 - a template may raise anything
                self._recorder.add_failure(f"the name {name!r} cannot be rendered: {exc}", step.at, frame)
                return fail_flow(self._frames, frame)
            taken.what = f"action {name}"
            reason = self._explain_skip(name, frame)
            if reason:
                taken.notes.append(reason)
                taken.skipped = True
                return Outcome.GO_ON
        outcome = await self._actions.run(name, frame, step.at)
        return fail_flow(self._frames, frame) if outcome is Outcome.FAILED else outcome

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
        if slot not in self._domain.slots:
            self._recorder.add_failure(f"the domain has no slot {slot!r}", step.at, frame)
            return fail_flow(self._frames, frame)
        if step.ask_before_filling and self._state.slots[slot] is not None:
            self._events.set_slot(slot, None)
            taken.notes.append(f"slot {slot} is emptied: ask_before_filling")
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

    def _follow_link(self, frame: Frame, step: LinkStep) -> Outcome:
        flow = self._flows.get(step.link)
        if flow is None:
            self._recorder.add_failure(f"the link leads to {step.link!r}, and there is no such flow", step.at, frame)
            return fail_flow(self._frames, frame)
        end_flow(self._frames, self._recorder, frame, self._flows[frame.flow_id], links=True)
        start_linked_flow(self._frames, flow.id)
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
            return fail_flow(self._frames, frame)
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

    def _stop_endless_steps(self) -> None:
        """End a turn in which nothing runs any more, as engines do: by the pattern for errors."""
        self._note_endless(f"{self._most_steps} steps without an action")
        self._stack.clear()
        self._responses.utter_response("utter_internal_error_rasa", None, "pattern_internal_error")
