"""What a call of an action came to, with assertions whose messages show expected, actual, and the action's place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from action_server.nearest import did_you_mean
from action_server.testing.requirements import Violation

# Of what a dispatcher sends, engines drop what is empty; a slot's null stays.
_UNSAID = ("timestamp", "metadata")


@dataclass(frozen=True)
class CallAbout:
    """What a result is about: the action, its place in the author's files, and what checks its contract.

    ``raised`` is what an action raised that failed, in a line; "" for one that did not.
    """

    action: str = ""
    place: str = ""
    check: Callable[[Mapping[str, Any]], list[Violation]] = lambda reply: []
    raised: str = ""

    def __str__(self) -> str:
        return f"{self.action} ({self.place})" if self.place else self.action


@dataclass(frozen=True)
class CallResult:
    """The events and responses of an answer, without what is empty; two of them are equal if these are.

    ``rejected`` says that the action declined to run, ``error`` holds the text of an answer that is none;
    ``duration`` is in seconds. ``body`` is the reply as it came, of ``status``.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    rejected: bool = False
    error: str = ""
    status: int = field(default=200, compare=False, repr=False)
    duration: float = field(default=0.0, compare=False, repr=False)
    body: Any = field(default=None, compare=False, repr=False)
    about: CallAbout = field(default=CallAbout(), compare=False, repr=False)

    @cached_property
    def slots(self) -> dict[str, Any]:
        """Return the slots that were set, by name; of one that was set twice the last value."""
        return {str(event.get("name")): event.get("value") for event in self.events if event.get("event") == "slot"}

    @cached_property
    def texts(self) -> list[str]:
        """Return the texts that were said; a response that was said by its name has none, `says` takes the name."""
        return [response["text"] for response in self.responses if response.get("text")]

    @property
    def followup(self) -> str | None:
        """Return the action that is to follow, None if none is."""
        names = [event.get("name") for event in self.events if event.get("event") == "followup"]
        return names[-1] if names else None

    def sets(self, expected: Mapping[str, Any] | None = None, /, **slots: Any) -> CallResult:
        """Assert that these slots were set to these values, whatever else was; return the result.

        ``sets()`` alone asserts that none was.
        """
        __tracebackhide__ = True
        wanted = {**(expected or {}), **slots}
        if not wanted and self.slots:
            self._fail("sets slots", "no slot", _shown(self.slots))
        for name, value in wanted.items():
            if name not in self.slots:
                others = f"it sets {', '.join(self.slots)}" if self.slots else "it sets none"
                hint = did_you_mean(name, self.slots)
                self._fail(f"does not set the slot {name!r}", _shown(value), f"not set; {others}{hint}")
            if not _is_same(self.slots[name], value):
                self._fail(f"sets the slot {name!r} to another value", _shown(value), _shown(self.slots[name]))
        return self

    def says(self, *expected: str | re.Pattern[str]) -> CallResult:
        """Assert that each of these was said: a text, the name of a response, or a pattern that is found in a text.

        Returns the result. ``says()`` alone asserts that nothing was said.
        """
        __tracebackhide__ = True
        names = [str(r["response"]) for r in self.responses if r.get("response")]
        said = [*self.texts, *names]
        if not expected and self.responses:
            self._fail("says something", "nothing", _shown(said or self.responses))
        for text in expected:
            if isinstance(text, str) and text in said:
                continue
            if not isinstance(text, str) and any(text.search(one) for one in self.texts):
                continue
            wanted = _shown(text) if isinstance(text, str) else f"a text with {text.pattern!r}"
            self._fail("does not say it", wanted, _said(text, said))
        return self

    def keeps_contract(self) -> CallResult:
        """Assert that an engine can take the answer, and that it fits the domain; return the result."""
        __tracebackhide__ = True
        broken = self.about.check({"status": self.status, "body": self.body})
        if broken:
            lines = [f"  {v.requirement.sentence}\n    {v.requirement.id}: {v.problem}" for v in broken]
            raise AssertionError(f"{self.about} does not keep the contract\n" + "\n".join(lines))
        return self

    def _fail(self, what: str, expected: str, actual: str) -> None:
        __tracebackhide__ = True
        why = self.about.raised or self.error
        outcome = f"\n  it {'rejected' if self.rejected else 'failed'}: {why}" if why else ""
        raise AssertionError(f"{self.about} {what}\n  expected: {expected}\n  actual:   {actual}{outcome}")


def result_of(status: int, body: Any, milliseconds: float, about: CallAbout) -> CallResult:
    """Return the result that a reply is."""
    is_fine = status == 200 and isinstance(body, dict)
    return CallResult(
        events=[_without_empty(event) for event in _objects(body, "events")] if is_fine else [],
        responses=[{k: v for k, v in r.items() if v} for r in _objects(body, "responses")] if is_fine else [],
        rejected=status == 400,
        error="" if is_fine else str(body.get("error", "")) if isinstance(body, dict) else "the reply is not JSON",
        status=status,
        duration=milliseconds / 1000,
        body=body,
        about=about,
    )


def _objects(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list; servers other than ours may answer with anything, which the contract judges."""
    found = body.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _without_empty(event: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in event.items() if not (k in _UNSAID and v is None)}


def _is_same(actual: Any, expected: Any) -> bool:
    """Compare as JSON does: true is not 1, and a tuple is a list."""
    if isinstance(expected, tuple):
        expected = list(expected)
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)


def _said(expected: str | re.Pattern[str], said: list[str]) -> str:
    if not said:
        return "it says nothing"
    near = difflib.get_close_matches(expected, said, n=1, cutoff=0.5) if isinstance(expected, str) else []
    shown = [*near, *(text for text in said if text not in near)]
    return "\n            ".join(map(_shown, shown))


def _shown(value: Any) -> str:
    return repr(value)
