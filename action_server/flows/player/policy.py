"""The flow policy: takes one step after another until the user is to speak."""

from __future__ import annotations

from collections import Counter

from action_server.flows.player.actions import Actions, Outcome
from action_server.flows.player.default_actions import start_linked
from action_server.flows.player.dialogue import PATTERN_COLLECT, Dialogue
from action_server.flows.player.endings import end, give_up
from action_server.flows.player.stack import NEXT, Frame
from action_server.flows.player.trace import StepTaken
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

# What engines allow in one turn.
MOST_STEPS = 250


class Policy:
    """Plays the stack of a dialogue."""

    def __init__(self, dialogue: Dialogue, actions: Actions, most_steps: int = MOST_STEPS) -> None:
        self._dialogue = dialogue
        self._actions = actions
        self._most_steps = most_steps

    async def run(self) -> None:
        """Take steps until an action listens, nothing is left to do, or the conversation is paused or over.

        Raises:
            UnsupportedError: a step that the player does not play.
        """
        dialogue = self._dialogue
        for _ in range(self._most_steps):
            if dialogue.state.is_paused or dialogue.state.has_ended:
                return
            if await self._step() is Outcome.LISTEN:
                return
        self._end_loop()

    async def _step(self) -> Outcome:
        dialogue = self._dialogue
        dialogue.tell_stack()
        if dialogue.state.followup:
            return await self._follow_up()
        frame = dialogue.state.stack.top
        if frame is None:
            return await self._actions.run("action_listen", None)
        self._resume(frame)
        flow = dialogue.flows.get(frame.flow_id)
        if flow is None:
            dialogue.fail(f"there is no flow {frame.flow_id!r}", frame=frame)
            return give_up(dialogue, frame)
        target = self._next(frame, flow)
        if target is None:
            return give_up(dialogue, frame)
        if target == END:
            end(dialogue, frame, flow)
            return Outcome.GO_ON
        step = flow.step(target)
        if step is None:
            dialogue.fail(f"the flow {flow.id!r} has no step {target!r}", flow.at, frame)
            return give_up(dialogue, frame)
        frame.step_id = step.id
        frame.visited.append(step.id)
        taken = dialogue.record(frame, StepTaken(flow.id, step.id, step.kind, step.what, step.at))
        return await self._enter(frame, step, taken)

    async def _follow_up(self) -> Outcome:
        dialogue = self._dialogue
        name, dialogue.state.followup = dialogue.state.followup, ""
        frame = dialogue.state.stack.top
        flow, step = (frame.flow_id, frame.step_id) if frame else ("", "")
        dialogue.turn.steps.append(StepTaken(flow, step, "followup", f"action {name}, which an action asked for"))
        outcome = await self._actions.run(name, frame)
        return give_up(dialogue, frame) if outcome is Outcome.FAILED else outcome

    def _resume(self, frame: Frame) -> None:
        """Tell that an interrupted flow goes on, once its own frame or its question is on top again."""
        stack = self._dialogue.state.stack
        index = len(stack) - 1
        owner = stack[index - 1] if frame.flow_id == PATTERN_COLLECT and index else frame
        root = stack.root_of(owner) if owner.is_flow else None
        if root is not None and root.interrupted:
            root.interrupted = False
            self._dialogue.tell_flow("flow_resumed", root)

    def _next(self, frame: Frame, flow: Flow) -> str | None:
        """Return the step to go to, or END; None, with a failure recorded, if no branch fits."""
        if frame.step_id == START:
            return flow.steps[0].id if flow.steps else END
        if frame.step_id == END:
            return END
        if frame.step_id.startswith(NEXT):
            return frame.step_id.removeprefix(NEXT)
        step = flow.step(frame.step_id)
        if step is None:
            self._dialogue.fail(f"the flow {flow.id!r} has no step {frame.step_id!r}", flow.at, frame)
            return None
        taken = self._dialogue.step_of(frame)
        if taken is None or taken.step != step.id:
            taken = self._dialogue.record(frame, StepTaken(flow.id, step.id, "resumed", step.what, step.at))
        for branch in step.next:
            if branch.condition is None:
                return branch.target
            decision = self._dialogue.decide(branch.condition, frame, branch.target)
            taken.decisions.append(decision)
            if decision.value:
                return branch.target
        self._dialogue.fail(f"no branch of the step {step.id!r} fits, and it has no `else`", step.at, frame)
        return None

    async def _enter(self, frame: Frame, step: Step, taken: StepTaken) -> Outcome:
        dialogue = self._dialogue
        if isinstance(step, ActionStep):
            return await self._act(frame, step, taken)
        if isinstance(step, CollectStep):
            return self._collect(frame, step, taken)
        if isinstance(step, SetSlotsStep):
            for name, value in step.slots:
                dialogue.set_slot(name, value)
            return Outcome.GO_ON
        if isinstance(step, LinkStep):
            return self._link(frame, step)
        if isinstance(step, CallStep):
            return self._call(frame, step)
        return Outcome.GO_ON

    async def _act(self, frame: Frame, step: ActionStep, taken: StepTaken) -> Outcome:
        name = step.action
        if "{" in name:
            values = {"context": self._dialogue.context_of(frame), "slots": self._dialogue.state.slots}
            try:
                name = render_template(name, values)
            except Exception as exc:  # noqa: BLE001 - a template may raise anything
                self._dialogue.fail(f"the name {name!r} cannot be rendered: {exc}", step.at, frame)
                return give_up(self._dialogue, frame)
            taken.what = f"action {name}"
            reason = self._why_skipped(name, frame)
            if reason:
                taken.notes.append(reason)
                taken.skipped = True
                return Outcome.GO_ON
        outcome = await self._actions.run(name, frame, step.at)
        return give_up(self._dialogue, frame) if outcome is Outcome.FAILED else outcome

    def _why_skipped(self, name: str, frame: Frame) -> str:
        """Say why an action that a pattern only may have does not run; empty if it runs."""
        domain = self._dialogue.domain
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

    def _collect(self, frame: Frame, step: CollectStep, taken: StepTaken) -> Outcome:
        dialogue = self._dialogue
        slot = step.collect
        if slot not in dialogue.domain.slots:
            dialogue.fail(f"the domain has no slot {slot!r}", step.at, frame)
            return give_up(dialogue, frame)
        if step.ask_before_filling and dialogue.state.slots[slot] is not None:
            dialogue.set_slot(slot, None)
            taken.notes.append(f"slot {slot} is emptied: ask_before_filling")
        asking = dialogue.frame(
            PATTERN_COLLECT,
            collect=slot,
            utter=step.ask_utter,
            collect_action=step.ask_action,
            rejections=[{"if": r.condition.text, "utter": r.utter} for r in step.rejections],
        )
        asking.rejections = step.rejections
        dialogue.state.stack.append(asking)
        return Outcome.GO_ON

    def _link(self, frame: Frame, step: LinkStep) -> Outcome:
        dialogue = self._dialogue
        flow = dialogue.flows.get(step.link)
        if flow is None:
            dialogue.fail(f"the link leads to {step.link!r}, and there is no such flow", step.at, frame)
            return give_up(dialogue, frame)
        end(dialogue, frame, dialogue.flows[frame.flow_id], links=True)
        start_linked(dialogue, flow.id)
        return Outcome.GO_ON

    def _call(self, frame: Frame, step: CallStep) -> Outcome:
        dialogue = self._dialogue
        if step.mcp_server:
            raise UnsupportedError(
                f"the tool {step.call!r} of the MCP server {step.mcp_server!r} is not called", step.at
            )
        flow = dialogue.flows.get(step.call)
        if flow is None:
            sub_agent = "there is no such flow, and sub agents (a language model each) are not played"
            raise UnsupportedError(f"`call: {step.call}`: {sub_agent}", step.at)
        child = dialogue.frame(flow.id, "call")
        dialogue.state.stack.append(child)
        dialogue.announce(child)
        return Outcome.GO_ON

    def _end_loop(self) -> None:
        """End a turn that does not end by itself, as engines do: by the pattern for errors."""
        dialogue = self._dialogue
        counted = Counter((s.flow, s.step, s.at) for s in dialogue.turn.steps if not s.flow.startswith("pattern_"))
        often = [entry for entry, _ in counted.most_common(3)]
        steps = ", ".join(f"{step} of {flow} ({at})" for flow, step, at in often) or "none of a flow"
        dialogue.fail(
            f"the turn did not end within {self._most_steps} steps; taken again and again: {steps}",
            often[0][2] if often else None,
        )
        dialogue.state.stack.clear()
        dialogue.say("utter_internal_error_rasa", None, "pattern_internal_error")
