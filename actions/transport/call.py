"""One request of a caller's, with everything its tries have in common."""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from multidict import CIMultiDict
from yarl import URL

from actions.errors import InvalidRequestError
from actions.transport.failures import Failure, Kind
from actions.transport.pace import Deadline

# A function makes a new form for each try, for what may be sent only once, as signed assertions are.
Data = bytes | Mapping[str, str] | Callable[[], Mapping[str, str]]

READS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})

_FORM = "application/x-www-form-urlencoded"


@dataclass
class Call:
    """A request and how far it came. `sent` counts the requests that went out, `uncertain` is as in `Response`."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: Callable[[], bytes | None]
    repeatable: bool | None
    accept: Collection[int]
    deadline: Deadline
    # The part of the system that an answer of 500 says something about; None: all of it.
    part: str | None = None
    sent: int = 0
    # The headers that proved the sender last, and whether others were asked for since.
    proof: Mapping[str, str] = field(default_factory=dict)
    renewed: bool = False
    uncertain: bool = False
    reads: bool = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.method.upper() in READS

    def note(self, failure: Failure) -> None:
        """Remember a try whose outcome is not known."""
        if failure.kind is Kind.BROKEN and not self.reads:
            self.uncertain = True

    def may_repeat(self, failure: Failure) -> bool:
        """Say whether sending it again does no harm and may help."""
        repeatable = self.reads if self.repeatable is None else self.repeatable
        return failure.again and (repeatable or failure.kind is Kind.LIMITED)


def with_body(
    system: str, headers: Mapping[str, str] | None, json: object, data: Data | None
) -> tuple[CIMultiDict[str], Callable[[], bytes | None]]:
    """Return the headers with the type of the body, if they do not name it, and what makes the body of each try."""
    found = CIMultiDict(headers or {})
    if json is not None:
        text = _encode(system, json)
        found.setdefault("Content-Type", "application/json")
        return found, lambda: text
    if data is None or isinstance(data, bytes):
        content = data
        return found, lambda: content
    found.setdefault("Content-Type", _FORM)
    if isinstance(data, Mapping):
        form = urlencode(data).encode()
        return found, lambda: form
    make = data
    return found, lambda: urlencode(make()).encode()


def _encode(system: str, value: object) -> bytes:
    try:
        return json_text.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError):
        raise InvalidRequestError(f"a request for {system} is not JSON: it holds a value that JSON has not") from None
