"""What each caller makes of a tool: which arguments arrive whole, what is lost on the way, who does not take it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from action_server.protocol.jsonable import JsonObject
from action_server.tools.callers import CALLER_RULES, CALLERS, Caller, CallerRule
from action_server.tools.tool import Tool
from action_server.tools.traits import FoundTrait, traits_of, traits_of_calls


@dataclass(frozen=True)
class Verdict:
    """What a caller makes of a tool. ``lost`` and ``refused`` are rules, with the trait that each was found by."""

    tool: str
    caller: Caller
    arguments: tuple[str, ...]
    lost: tuple[tuple[CallerRule, FoundTrait], ...] = ()
    refused: tuple[tuple[CallerRule, FoundTrait], ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the arguments that arrive as they are."""
        if self.refused:
            return ()
        harmed = {found.argument for _, found in self.lost}
        return tuple(name for name in self.arguments if name not in harmed)

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the tool arrives."""
        return not self.lost and not self.refused


def verdicts_on(tool: Tool) -> list[Verdict]:
    """Return what each caller makes of a tool, in the order of the callers."""
    needs_conversation = tool.needs_conversation is not None and tool.conversation_argument is None
    calls = traits_of_calls(tool.patience, needs_conversation=needs_conversation)
    return _verdicts(tool.name, tuple(tool.input_schema["properties"]), [*traits_of(tool.listing), *calls])


def _verdicts(tool: str, arguments: tuple[str, ...], traits: Iterable[FoundTrait]) -> list[Verdict]:
    found = [(rule, trait) for trait in traits for rule in CALLER_RULES if rule.trait is trait.trait]
    return [
        Verdict(
            tool,
            caller,
            arguments,
            tuple((rule, trait) for rule, trait in found if caller in rule.callers and not rule.refuses),
            tuple((rule, trait) for rule, trait in found if caller in rule.callers and rule.refuses),
        )
        for caller in CALLERS
    ]


def words_of_loss(verdict: Verdict) -> str:
    """Say in a few words what is lost: what, and of how many arguments."""
    counts: dict[str, int] = {}
    for rule, found in verdict.lost:
        counts[rule.loses] = counts.get(rule.loses, 0) + bool(found.argument)
    return "; ".join(f"{what} of {n}" if n else what for what, n in counts.items())


def words_of_refusal(verdict: Verdict) -> str:
    """Say which tools are lost: this one, or all that stand in one list with it."""
    found = {rule.refuses for rule, _ in verdict.refused}
    return "all tools" if "all tools" in found else "tool" if found else ""


def reasons_for(verdicts: Iterable[Verdict]) -> list[tuple[str, str]]:
    """Say who loses or refuses what, and why, with where it is known from; each once."""
    found: dict[tuple[str, str], None] = {}
    for verdict in verdicts:
        for rule, trait in (*verdict.refused, *verdict.lost):
            what = f"refuses {'all tools' if rule.refuses == 'all tools' else 'the tool'}" if rule.refuses else ""
            what = what or f"loses {rule.loses}"
            found[f"{verdict.caller.name} {what}", f"{trait.trait.value} ({rule.source})"] = None
    return list(found)


def as_json(verdicts: Iterable[Verdict]) -> list[JsonObject]:
    """Return verdicts for machines."""
    return [
        {
            "tool": verdict.tool,
            "caller": verdict.caller.name,
            "version": verdict.caller.version,
            "source": verdict.caller.source,
            "kept": list(verdict.kept),
            "lost": list(_entries(verdict.lost)),
            "refused": list(_entries(verdict.refused)),
        }
        for verdict in verdicts
    ]


def _entries(found: Iterable[tuple[CallerRule, FoundTrait]]) -> Iterator[JsonObject]:
    for rule, trait in found:
        words = {"refuses": rule.refuses} if rule.refuses else {"loses": rule.loses}
        facts = {"argument": trait.argument or None, "reason": trait.trait.value, "source": rule.source}
        yield {"rule": trait.trait.name.lower().replace("_", "-"), **facts, **words}
