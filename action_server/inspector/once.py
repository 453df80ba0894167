"""What becomes of a call that runs again where its action runs once: said before the click, and after it."""

from __future__ import annotations

from action_server.idempotency.rules import Idempotent
from action_server.inspector.kept import CallRow
from action_server.telemetry.durations import length


def promise_of(rule: Idempotent | None, *, is_again: bool) -> str:
    """Return what a click will do where an action runs once; empty where it does not.

    ``is_again`` tells that it repeats a call; otherwise it is a call in a conversation of its own.
    """
    if rule is None:
        return ""
    if rule.key:
        where = "in any conversation" if rule.scope == "everyone" else "in this conversation"
        within = f" within {length(rule.within.total_seconds())}" if rule.within is not None else ""
        if not is_again and rule.scope == "conversation":
            return "It is marked to run once; this is a conversation of its own, so it runs."
        return (
            f"It is marked to run once for the same {_listed(rule.key)}{within}, {where}: with the same values you get "
            "the first answer once more, and nothing is done twice. With others it runs."
        )
    if not is_again:
        return "It is marked to run once in a turn; this is a turn of its own, so it runs."
    return (
        "It is marked to run once in a turn, and this is the same turn: you get the first answer once more, whatever "
        "slots you change here, and nothing is done twice. It runs if the first run failed, or is not remembered."
    )


def outcome_of(rule: Idempotent | None, row: CallRow) -> str:
    """Return what a call that ran again came to, where its action runs once; empty where it does not."""
    if row.repeated:
        return "Nothing ran: its action is marked to run once, and this is the answer of the first run."
    if rule is None:
        return ""
    why = f"{_listed(rule.key)} had other values" if rule.key else "it came from another turn"
    return (
        f"It ran, although its action is marked to run once: {why}, the first run failed, or its answer is not "
        "remembered any more."
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)
