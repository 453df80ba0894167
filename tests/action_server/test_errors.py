"""The errors form the tree their module draws, each has its answer, and none says more than it was told."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import action_server
from action_server import errors
from action_server.errors import ActionServerError, CallError, CommandLineError, ServiceError, StartupError
from action_server.project.places import UnsupportedError
from action_server.serving.mcp.messages import MessageError
from action_server.source import Place

WEBHOOK_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "webhook.md"
# It holds a place of a project, which is a room above the errors'.
ELSEWHERE = {UnsupportedError}
# JSON-RPC's own answer, by codes that no other room knows.
OF_ONE_ROOM = {MessageError}
KINDS = (CallError, StartupError, ServiceError, CommandLineError)


def every_error(root: type[ActionServerError] = ActionServerError) -> Iterator[type[ActionServerError]]:
    """All errors of the package below ``root``; every module of it is imported for them."""
    for module in pkgutil.walk_packages(action_server.__path__, "action_server."):
        if module.name != "action_server.__main__":
            importlib.import_module(module.name)
    found = [root]
    while found:
        error = found.pop()
        yield error
        found += (e for e in error.__subclasses__() if e.__module__.startswith("action_server."))


def named(error: type[ActionServerError]) -> str:
    return error.__name__


CALL_ERRORS = sorted(set(every_error(CallError)) - {CallError}, key=named)
OTHER_ERRORS = sorted(set(every_error()) - {ActionServerError, *KINDS}, key=named)
OWN_ERRORS = [value for _, value in inspect.getmembers(errors, inspect.isclass)]


def test_every_error_lives_in_one_module() -> None:
    """Whoever looks for an error finds it there; private signals are no errors."""
    assert {e for e in every_error() if e.__module__ != errors.__name__} == ELSEWHERE
    for module in list(sys.modules.values()):
        if module.__name__.startswith("action_server.") and module.__name__ != errors.__name__:
            own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
            errs = [c for c in own if issubclass(c, Exception) and c.__name__.endswith("Error")]
            assert set(errs) <= ELSEWHERE | OF_ONE_ROOM, module.__name__


@pytest.mark.parametrize("error", CALL_ERRORS, ids=named)
def test_an_error_of_a_call_has_the_status_of_the_reference(error: type[CallError]) -> None:
    """A new class is given its status there, and has it from its class or a base."""
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", WEBHOOK_PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert [int(status) for status, name in rows if name == error.__name__] == [error.status]


OUTCOMES = [
    ("RequestError", "refused", False),
    ("BodyTooLargeError", "refused", False),
    ("UnauthorizedError", "refused", False),
    ("ActionNotFoundError", "not_found", False),
    ("MissingDomainError", "needs_domain", False),
    ("ActionRejectedError", "rejected", False),
    ("ActionFailedError", "failed", True),
    ("ActionTimeoutError", "timed_out", True),
    ("SaturatedError", "saturated", True),
    ("StillRunningError", "still_running", True),
    ("OutcomeUnknownError", "outcome_unknown", True),
    ("UnreadableAnswerError", "outcome_unknown", True),
    ("StoreUnavailableError", "store_unavailable", True),
    ("InternalError", "failed", True),
]


@pytest.mark.parametrize(("name", "outcome", "is_failure"), OUTCOMES, ids=[name for name, *_ in OUTCOMES])
def test_an_error_of_a_call_has_the_outcome_that_dashboards_know(name: str, outcome: str, is_failure: bool) -> None:
    """The words of the log and the metrics, and whether a trace is marked as failed."""
    error = getattr(errors, name)

    assert (error.outcome, error.is_failure) == (outcome, is_failure)


@pytest.mark.parametrize("error", OTHER_ERRORS, ids=named)
def test_an_error_without_a_status_does_not_end_a_call(error: type[ActionServerError]) -> None:
    """It ends the start or a verb; or an action raises it, and then an ActionFailedError has the status."""
    assert hasattr(error, "status") == issubclass(error, CallError)


def test_a_new_error_has_what_its_base_has() -> None:
    """Its status and outcome are found along its ancestry, without a table that has to name it."""

    class TooManySlotsError(errors.BodyTooLargeError): ...

    assert (TooManySlotsError.status, TooManySlotsError.outcome) == (413, "refused")


STATUS_LINES = [
    ("RequestError", 400),
    ("BodyTooLargeError", 413),
    ("EncodingError", 415),
    ("ActionNotFoundError", 404),
    ("MissingDomainError", 449),
    ("ActionRejectedError", 400),
    ("ActionFailedError", 500),
    ("InternalError", 500),
]


@pytest.mark.parametrize(("name", "status"), STATUS_LINES)
def test_an_error_is_answered_with_the_status_engines_know(name: str, status: int) -> None:
    """PROTOCOL.md, section 2: the engine's reaction decides."""
    assert getattr(errors, name).status == status


@pytest.mark.parametrize("error", OTHER_ERRORS, ids=named)
def test_an_error_belongs_to_a_call_to_the_start_to_a_service_or_to_the_command_line(
    error: type[ActionServerError],
) -> None:
    """Whoever catches one of the kinds catches all there is."""
    assert issubclass(error, KINDS)


@pytest.mark.parametrize("error", OWN_ERRORS, ids=named)
def test_an_error_is_called_one_and_says_what_it_is(error: type[Exception]) -> None:
    """The name ends in Error and the docstring is a sentence."""
    assert issubclass(error, ActionServerError)
    assert error.__name__.endswith("Error")
    assert (error.__doc__ or "").split("\n")[0].endswith((".", ";"))


LINE = re.compile(r"^    (?P<branch>[│├└─ ]*)(?P<name>\w+Error)\b(?P<text>.*)$")


def drawn(text: str) -> dict[str, tuple[str | None, str]]:
    """The tree a docstring draws: each error's parent and what stands beside it."""
    found: dict[str, tuple[str | None, str]] = {}
    above: list[str] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = len(match["branch"]) // 4
        del above[depth:]
        found[match["name"]] = (above[-1] if above else None, match["text"].strip())
        above.append(match["name"])
    return found


def real() -> dict[str, str | None]:
    """Each error's parent among the errors of the module."""
    return {
        error.__name__: next((b.__name__ for b in error.__bases__ if issubclass(b, ActionServerError)), None)
        for error in OWN_ERRORS
    }


def test_the_drawing_is_read_as_a_tree() -> None:
    """The reader of drawings knows a branch from a leaf."""
    text = "::\n\n    AError\n    ├── BError   first   400\n    │   └── CError\n    └── DError   last\n"

    assert drawn(text) == {
        "AError": (None, ""),
        "BError": ("AError", "first   400"),
        "CError": ("BError", ""),
        "DError": ("AError", "last"),
    }


def test_the_drawn_tree_is_the_real_one() -> None:
    """Every class stands in the module's docstring, under its base."""
    assert {name: parent for name, (parent, _) in drawn(errors.__doc__ or "").items()} == real()


def test_the_drawn_statuses_are_the_real_ones() -> None:
    """A number at the end of a line is the status of that error."""
    statuses = {
        name: int(text.split()[-1])
        for name, (_, text) in drawn(errors.__doc__ or "").items()
        if re.search(r"\b\d{3}$", text)
    }

    assert set(statuses) == {error.__name__ for error in CALL_ERRORS}
    assert statuses == {name: getattr(errors, name).status for name in statuses}


# Every error with arguments one can recognise, and its whole message. A message may hold nothing else.
MESSAGES: list[tuple[ActionServerError, str]] = [
    (errors.RequestError("it is wrong"), "it is wrong"),
    (errors.ActionRejectedError("not now", "a"), "not now"),
    (
        errors.BodyTooLargeError(1024),
        "the request body is larger than 1024 bytes; if your conversations are that long, raise the limit with "
        "--max-request-bytes",
    ),
    (errors.EncodingError(), "the Content-Encoding of the request is not supported; use deflate, gzip or none"),
    (errors.ActionNotFoundError("a"), "No registered action found for name 'a'."),
    (
        errors.MissingDomainError("a"),
        "Missing domain context, assistant will retry the request and include the domain in the request payload. For "
        "more information please see https://rasa.com/docs/action-server/",
    ),
    (
        errors.ActionFailedError("a", "0a1b"),
        "Action 'a' failed. The details are in the action server's log under this error_id.",
    ),
    (errors.ActionTimeoutError("a", 8, "0a1b"), "Action 'a' did not finish within its 8 s."),
    (errors.ActionTimeoutError("a", None, "0a1b"), "Action 'a' did not finish within its time."),
    (
        errors.SaturatedError("a", "max_calls", 10),
        "busy: max_calls is reached, and max_queue or queue_timeout; try again later, or raise them",
    ),
    (
        errors.UnauthorizedError("Bearer"),
        "this request needs a valid credential; see `action-server help authenticate`",
    ),
    (errors.SlowBodyError(30), "the request body did not arrive within 30 s (--body-timeout)"),
    (errors.StillRunningError("a"), "the same call is still running; its answer is not there yet"),
    (
        errors.OutcomeUnknownError("a", "k", "running"),
        "the same call was cut off before; whether it did its work is unknown, so it is not run again",
    ),
    (
        errors.OutcomeUnknownError("a", "k", "failed"),
        "the same call raised before; whether it did its work is unknown, so it is not run again",
    ),
    (
        errors.UnreadableAnswerError("a", "k"),
        "the same call succeeded before, but its stored answer cannot be read",
    ),
    (
        errors.StoreUnavailableError("a"),
        "the database of idempotent actions does not answer, so the action was not run",
    ),
    (errors.DatabaseError(), "the action server's database did not answer"),
    (errors.RuleError("is wrong"), "is wrong"),
    (errors.InternalError("0a1b"), "The action server failed. The details are in its log under this error_id."),
    (errors.SettingsError("--port", "is wrong"), "--port: is wrong"),
    (errors.LoadError("actions.a", "a.py:3", "no"), "a.py:3: cannot import 'actions.a': no"),
    (errors.LifespanError("a.py:3", "no"), "a.py:3: the services cannot be opened: no"),
    (errors.RegistrationError("class A", "a.py:3", "has no name()"), "a.py:3: class A has no name()"),
    (
        errors.DuplicateActionError("a", "a.py:3", "b.py:4"),
        "a.py:3: action 'a' is already registered at b.py:4",
    ),
    (errors.ServiceError("no service"), "no service"),
    (errors.DegradedError("no CRM"), "no CRM"),
    (errors.JobError("there is no job ab"), "there is no job ab"),
    (errors.DeliveryError("the engine is down", is_unknown=True), "the engine is down"),
    (errors.SlotValueError({"size": "must be a number"}), "slot 'size' must be a number"),
    (errors.NoCallError(), "no action is running here: current_call() works inside an action's run()"),
    (errors.FixtureError(["a", "b"]), "a fixture sets what is no slot of the domain: a, b"),
    (errors.ScriptEndedError("hi"), "the script has no commands for the message 'hi'"),
    (errors.CommandGeneratorError("http://x refuses"), "http://x refuses"),
    (errors.InvalidCompletionError(["no JSON", "no list"]), "no JSON; no list"),
    (errors.ResponseError("no variation of 'utter_x' fits"), "no variation of 'utter_x' fits"),
    (errors.NotJsonableError("events[0]", "lock"), "events[0] is a lock, which has no JSON form"),
    (UnsupportedError("a sub agent", Place(file="f.yml", line=3)), "f.yml:3: a sub agent"),
    (errors.UnreachableError("http://x", "refused"), "no action server answers at http://x: refused"),
]


def test_every_error_stands_in_the_table_of_messages() -> None:
    """A new error is given its message here too."""
    concrete = set(every_error()) - {ActionServerError, CallError, StartupError, CommandLineError}

    assert {type(error) for error, _ in MESSAGES} == concrete


@pytest.mark.parametrize(("error", "message"), MESSAGES, ids=[named(type(error)) for error, _ in MESSAGES])
def test_a_message_says_what_it_was_told_and_nothing_more(error: ActionServerError, message: str) -> None:
    """One line, made of its arguments and constant words."""
    assert str(error) == message


@pytest.mark.parametrize("error", CALL_ERRORS, ids=named)
def test_an_error_of_a_call_knows_its_action_and_its_message(error: type[CallError]) -> None:
    """What goes into the answer are attributes; nobody parses a text for it."""
    instance = next(e for e, _ in MESSAGES if type(e) is error)

    assert isinstance(instance, CallError)
    assert instance.message == str(instance)
    assert isinstance(instance.action, str)
    assert instance.error_id in (None, "0a1b")


ATTRIBUTES: list[tuple[ActionServerError, dict[str, Any]]] = [
    (errors.BodyTooLargeError(1024), {"limit": 1024, "action": ""}),
    (errors.ActionNotFoundError("a"), {"action": "a"}),
    (errors.MissingDomainError("a"), {"action": "a"}),
    (errors.ActionFailedError("a", "0a1b"), {"action": "a", "error_id": "0a1b"}),
    (errors.SettingsError("--port", "p"), {"where": "--port"}),
    (errors.LoadError("m", "a.py:3", "p"), {"module": "m", "place": "a.py:3"}),
    (errors.LifespanError("a.py:3", "p"), {"place": "a.py:3"}),
    (errors.RegistrationError("class A", "a.py:3", "p"), {"what": "class A", "place": "a.py:3"}),
    (errors.DuplicateActionError("a", "a.py:3", "b.py:4"), {"action": "a", "first_place": "b.py:4"}),
    (errors.UnreachableError("http://x", "p"), {"url": "http://x"}),
]


@pytest.mark.parametrize(("error", "attributes"), ATTRIBUTES, ids=[named(type(e)) for e, _ in ATTRIBUTES])
def test_an_error_carries_its_facts_as_attributes(error: ActionServerError, attributes: dict[str, Any]) -> None:
    """Callers decide by attributes."""
    assert {name: getattr(error, name) for name in attributes} == attributes


def test_asking_for_a_call_where_there_is_none_is_a_lookup_that_fails() -> None:
    """So that code that runs in and out of actions may catch what `ContextVar.get` raises."""
    assert issubclass(errors.NoCallError, LookupError)
