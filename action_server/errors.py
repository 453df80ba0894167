"""Every error of the platform, under one root.

An error of a call knows what it means: ``status`` is that of the HTTP answer, ``outcome`` the word in the log and the
metrics, ``is_failure`` whether somebody has to look after it. Nobody else keeps a table of these. One class stands
elsewhere: ``UnsupportedError``, a CommandLineError, holds a place of a project (``project/places.py``).

::

    ActionServerError
    ├── CallError                      one call cannot be answered; has an HTTP status
    │   ├── RequestError               the request is malformed            400
    │   │   ├── SlowBodyError          the body did not arrive in time     408
    │   │   ├── BodyTooLargeError      more bytes than the limit           413
    │   │   └── EncodingError          an unknown Content-Encoding         415
    │   ├── UnauthorizedError          no valid credential came with it    401
    │   ├── ActionNotFoundError        nobody registered the action        404
    │   ├── MissingDomainError         the engine shall send the domain    449
    │   ├── ActionRejectedError        the action declines to run          400
    │   ├── SaturatedError             too many calls run and wait         503
    │   ├── ActionFailedError          the action raised                   500
    │   ├── ActionTimeoutError         the action took too long            504
    │   ├── StillRunningError          the first run goes on; ask again    503
    │   ├── OutcomeUnknownError        how far the first run came          500
    │   ├── UnreadableAnswerError      the first run's answer is broken    500
    │   ├── StoreUnavailableError      is it a repeat? nothing was run     503
    │   └── InternalError              the server itself failed            500
    ├── StartupError                   the server cannot start; exit code 2
    │   ├── SettingsError              a flag, variable or file is wrong
    │   ├── RuleError                  a rule about running once makes no sense
    │   ├── LoadError                  a module does not import
    │   ├── LifespanError              the package's services cannot be opened
    │   └── RegistrationError          a class or function cannot be an action
    │       └── DuplicateActionError   two actions share a name (``--strict``)
    ├── ServiceError                   an action asked for something that is not there
    │   ├── NoCallError                there is no running call to speak of
    │   ├── DegradedError              a service does not work that calls can do without
    │   ├── DatabaseError              the database does not answer
    │   ├── JobError                   a job cannot be asked for, or has ended
    │   │   └── DeliveryError          a result did not reach its conversation
    │   ├── SlotValueError             a slot does not hold what the action declared
    │   └── NotJsonableError           a value has no JSON form
    └── CommandLineError               a verb cannot do its work; exit code 1
        ├── UnreachableError           no action server answers at the address
        ├── FixtureError               a fixture sets what is no slot
        ├── ScriptEndedError           more messages than turns in the script
        ├── CommandGeneratorError      the language model cannot be asked
        ├── InvalidCompletionError     the language model's answer is none
        └── ResponseError              a response cannot be said
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ActionServerError(Exception):
    """Any error this package raises on purpose."""


class CallError(ActionServerError):
    """One call cannot be answered with 200.

    ``action`` is the name the engine asked for, ``""`` when the request did not get that far; ``error_id`` is set where
    the details are in the log and not in the message; ``headers`` are those of an HTTP answer.
    """

    status: int = 500
    outcome: ClassVar[str] = "failed"
    is_failure: ClassVar[bool] = True
    error_id: str | None = None

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__(message)
        self.message, self.action = message, action
        self.headers: dict[str, str] = {}


class RequestError(CallError):
    """The request is malformed: ``message`` says in words what is wrong and where, never a value of it."""

    status = 400
    outcome = "refused"
    is_failure = False


class BodyTooLargeError(RequestError):
    """The body is larger than the limit, before or after inflating it."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the request body is larger than {limit} bytes; if your conversations are that long, "
            "raise the limit with --max-request-bytes"
        )
        self.limit = limit


class SlowBodyError(RequestError):
    """The body did not arrive within ``seconds``."""

    status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request body did not arrive within {seconds:g} s (--body-timeout)")
        self.seconds = seconds


class EncodingError(RequestError):
    """The body has a Content-Encoding this server does not speak."""

    status = 415

    def __init__(self) -> None:
        super().__init__("the Content-Encoding of the request is not supported; use deflate, gzip or none")


class ActionNotFoundError(CallError):
    """The request names an action nobody registered."""

    status = 404
    outcome = "not_found"
    is_failure = False

    def __init__(self, action: str) -> None:
        # The wording is rasa-sdk's: it is part of the contract captured in tests/contract.
        super().__init__(f"No registered action found for name '{action}'.", action)


class MissingDomainError(CallError):
    """The action needs a domain this server has not seen; the engine retries once and includes it."""

    # Not registered anywhere: the engine's own word for "retry and include the domain".
    status = 449
    outcome = "needs_domain"
    is_failure = False

    def __init__(self, action: str) -> None:
        super().__init__(
            "Missing domain context, assistant will retry the request and include the domain in the "
            "request payload. For more information please see https://rasa.com/docs/action-server/",
            action,
        )


class ActionRejectedError(CallError):
    """The action raised ``ActionExecutionRejection``: the engine may predict another one."""

    status = 400
    outcome = "rejected"
    is_failure = False


class ActionFailedError(CallError):
    """The action raised. The details are in the log under ``error_id``; the caller learns only the id."""

    def __init__(self, action: str, error_id: str) -> None:
        super().__init__(
            f"Action '{action}' failed. The details are in the action server's log under this error_id.", action
        )
        self.error_id = error_id


class ActionTimeoutError(CallError):
    """The action took longer than it may. ``seconds`` is what it had."""

    status = 504
    outcome = "timed_out"

    def __init__(self, action: str, seconds: float | None, error_id: str) -> None:
        limit = f"its {seconds:g} s" if seconds is not None else "its time"
        super().__init__(f"Action '{action}' did not finish within {limit}.", action)
        self.seconds, self.error_id = seconds, error_id


class SaturatedError(CallError):
    """More calls run and wait than the setting ``limit`` allows; try again after ``retry_after`` seconds."""

    status = 503
    outcome = "saturated"

    def __init__(self, action: str, limit: str, retry_after: float) -> None:
        super().__init__(
            f"busy: {limit} is reached, and max_queue or queue_timeout; try again later, or raise them", action
        )
        self.limit = limit
        self.headers = {"Retry-After": str(max(1, round(retry_after)))}


class UnauthorizedError(CallError):
    """No valid credential came with the request. The message does not say which part of one was wrong."""

    status = 401
    outcome = "refused"
    is_failure = False

    def __init__(self, challenge: str) -> None:
        super().__init__("this request needs a valid credential; see `action-server help authenticate`")
        self.challenge = challenge
        self.headers = {"WWW-Authenticate": challenge}


class StillRunningError(CallError):
    """The first call goes on elsewhere, longer than this repeat may wait. Asking again later is fine."""

    status = 503
    outcome = "still_running"

    def __init__(self, action: str) -> None:
        super().__init__("the same call is still running; its answer is not there yet", action)


class OutcomeUnknownError(CallError):
    """The first call ended without an answer, and nobody knows what it did before; ``key`` finds its row.

    ``state`` is ``running`` if its process died or was stopped in the middle, ``failed`` if it raised and its rule
    keeps failures.
    """

    outcome = "outcome_unknown"

    def __init__(self, action: str, key: str, state: str) -> None:
        end = "raised" if state == "failed" else "was cut off"
        super().__init__(
            f"the same call {end} before; whether it did its work is unknown, so it is not run again", action
        )
        self.key, self.state = key, state


class UnreadableAnswerError(CallError):
    """The first call succeeded and what is stored of its answer is no answer; it is not run again."""

    outcome = "outcome_unknown"

    def __init__(self, action: str, key: str) -> None:
        super().__init__("the same call succeeded before, but its stored answer cannot be read", action)
        self.key = key


class StoreUnavailableError(CallError):
    """Whether this call is a repeat cannot be found out, as the database does not answer; nothing was run."""

    status = 503
    outcome = "store_unavailable"

    def __init__(self, action: str) -> None:
        super().__init__("the database of idempotent actions does not answer, so the action was not run", action)


class InternalError(CallError):
    """The server itself failed, which is a defect of it. The details are in the log under ``error_id``."""

    def __init__(self, error_id: str) -> None:
        super().__init__("The action server failed. The details are in its log under this error_id.")
        self.error_id = error_id


class StartupError(ActionServerError):
    """The server cannot start. One line on standard error, exit code 2."""


class SettingsError(StartupError):
    """A flag, a variable or an entry of a file is wrong. ``where`` names it; its value is never shown."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


class RuleError(StartupError, ValueError):
    """A rule about running once is wrong, in the code or in the settings."""


class LoadError(StartupError):
    """A module of the actions package does not import. ``place`` is ``file:line``."""

    def __init__(self, module: str, place: str, problem: str) -> None:
        super().__init__(f"{place}: cannot import {module!r}: {problem}")
        self.module, self.place = module, place


class LifespanError(StartupError):
    """The services of a package cannot be opened. ``place`` is ``file:line`` of its lifespan."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: the services cannot be opened: {problem}")
        self.place = place


class RegistrationError(StartupError):
    """A class or function cannot be registered as an action. ``place`` is ``file:line``."""

    def __init__(self, what: str, place: str, problem: str) -> None:
        super().__init__(f"{place}: {what} {problem}")
        self.what, self.place = what, place


class DuplicateActionError(RegistrationError):
    """Two actions share one name and ``--strict`` is on."""

    def __init__(self, action: str, place: str, first_place: str) -> None:
        super().__init__(f"action {action!r}", place, f"is already registered at {first_place}")
        self.action, self.first_place = action, first_place


class ServiceError(ActionServerError):
    """An action asked for a service nobody provides, or outside of a running server."""


class NoCallError(ServiceError, LookupError):
    """``current_call()`` was asked for outside of an action's run."""

    def __init__(self) -> None:
        super().__init__("no action is running here: current_call() works inside an action's run()")


class DegradedError(ServiceError):
    """A ping's answer for a service that does not work and that calls can do without: the worker stays ready."""


class DatabaseError(ServiceError):
    """The database did not answer. ``problem`` says why, if known, and holds no data; ``is_down``: it may pass."""

    def __init__(self, problem: str | None = None, *, is_down: bool = False) -> None:
        super().__init__("the action server's database did not answer" + (f": {problem}" if problem else ""))
        self.problem, self.is_down = problem, is_down


class JobError(ServiceError, ValueError):
    """A job cannot be asked for as it was, nobody knows it, or its run is over. No argument is repeated."""


class DeliveryError(JobError):
    """A result did not get there. ``is_final``: no repeat will; ``is_unknown``: or it did; ``status``: the engine's."""

    def __init__(self, problem: str, *, is_final: bool = False, is_unknown: bool = False, status: int = 0) -> None:
        super().__init__(problem)
        self.is_final, self.is_unknown, self.status = is_final, is_unknown, status


class SlotValueError(ServiceError, ValueError):
    """Slots hold something else than the action's class says. ``problems`` has what each should be, and no value."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"slot {slot!r} {problem}" for slot, problem in problems.items()))
        self.problems = dict(problems)


class NotJsonableError(ServiceError, ValueError):
    """A value has no JSON form. ``path`` says where it sits, ``kind`` is its type's name."""

    def __init__(self, path: str, kind: str, problem: str = "has no JSON form") -> None:
        super().__init__(f"{path or 'it'} is a {kind}, which {problem}")
        self.path, self.kind = path, kind


class CommandLineError(ActionServerError):
    """A verb of the command line cannot do its work. One line on standard error, exit code 1."""


class UnreachableError(CommandLineError):
    """No action server answers at the address."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"no action server answers at {url}: {problem}")
        self.url = url


class FixtureError(CommandLineError):
    """A fixture sets slots that the domain does not have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"a fixture sets what is no slot of the domain: {', '.join(names)}")
        self.names = tuple(names)


class ScriptEndedError(CommandLineError):
    """There are more messages than turns in the script."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the script has no commands for the message {message!r}")


class CommandGeneratorError(CommandLineError):
    """The model could not be asked: the text says why, with its address and without the key."""


class InvalidCompletionError(CommandLineError):
    """The answer is not what was asked for; ``problems`` has a sentence for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class ResponseError(CommandLineError):
    """A response cannot be said: none of its variations fits, or its template cannot be rendered."""
