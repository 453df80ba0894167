"""The rules of `action-server check`: what each one is for. The text of docs/reference/check-rules.md is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from action_server.project.places import Severity


@dataclass(frozen=True)
class Rule:
    """A kind of finding. ``what`` says when there is one, ``why`` what happens at run time otherwise."""

    id: str
    severity: Severity
    what: str
    why: str


# Id and severity; what is found; what happens otherwise.
_RULES = """
unreadable error
  a file, or a part of one, that cannot be read as it stands
  an engine refuses it or leaves it out; what stands in it is not checked
readable-with-care warning
  a key or an entry that engines pass over
  it has no effect
duplicate-name error
  two flows, steps, slots, responses, forms or actions with one name, or a key that stands twice in a mapping
  only one of them counts
import-failed error
  the package of actions, or a module in it, cannot be imported
  the action server does not start; rules that need to know all classes are left out
actions-not-found warning
  the domain or the flows name custom actions, and there is no package of actions to look for them in
  rules that need to know the classes are left out; name the package with `--actions`
not-an-action error
  a class or function that cannot be registered: its `run` takes other arguments, its `name` is none
  the action server does not start
action-without-class error
  an action that a flow, the domain, a rule, a story or a slot's mapping names, and no class has
  the engine calls it, and the action server answers 404
action-not-listed error
  an action that a flow, a rule or a story runs, and the domain does not list
  `rasa train` refuses the project
unused-action warning
  a class that neither this project nor another one below the working directory names
  it is never called
nothing-asks error
  a `collect` of a slot that has neither a response `utter_ask_<slot>` nor an action `action_ask_<slot>` in the domain
  the user is not asked
unknown-slot error
  a slot that a flow, a condition, a response, a form, a rule, a button or the code names, and the domain does not have
  reading it gives null, setting it is dropped with an error in the engine's log, a condition on it is false
unknown-response error
  a response that a flow, a rejection, a rule or the code names, and the domain does not have
  the bot says nothing
unknown-flow error
  a `link`, a `call`, a button or a slot's mapping names a flow that does not exist
  `rasa train` refuses the project, or the button does nothing
unknown-intent error
  an intent that a rule, a story, a form, a button or a flow's trigger names, and the domain does not have
  it never happens
unknown-form error
  a form that a rule, a story or a slot's mapping names, and the domain does not have
  it never becomes active
unknown-step error
  a `next`, `then` or `else` that leads to a step the flow does not have
  `rasa train` refuses the project
unreachable-step warning
  a step that no path of its flow leads to
  it never runs
condition-syntax error
  a condition that does not parse
  it is false, whatever the slots hold
condition-name warning
  a name in a condition without `slots.` or `context.` before it: a text without quotes, or a slot without prefix
  it is undefined, so that a comparison with it is false
impossible-value error
  a comparison with, or a setting to, a value that a categorical slot cannot have
  the comparison is always the same; the slot is not set
form-slot-without-mapping error
  a slot that a form of a classic project requires, without `mappings`
  the form can never fill it and asks for ever
uncalled-action warning
  an action or a method named `validate_...`, `extract_...` or `action_ask_...` that an engine never calls
  it looks as if it did something
event-without-list warning
  `run` returns one event instead of a list of events
  this server takes it; rasa-sdk answers 200 and the event is lost
blocking-call warning
  a call that waits, without `await`, inside of an `async def` of an action
  all other calls of the worker wait for it, the health checks too
not-awaited error
  a coroutine that is called as a statement, without `await`
  what it should do is never done
unused-silencing warning
  a comment `# action-server: ignore[...]` on a line without such a finding, or with a rule that does not exist
  it hides the next fault on that line
"""


def _read() -> dict[str, Rule]:
    lines = _RULES.strip().splitlines()
    found = {}
    for head, what, why in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, severity = head.split()
        found[name] = Rule(name, "error" if severity == "error" else "warning", what.strip(), why.strip())
    return found


RULES: dict[str, Rule] = _read()
