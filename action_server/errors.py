"""Every error of the platform, under one root.

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
    │   └── InternalError              the server itself failed            500
    ├── StartupError                   the server cannot start; exit code 2
    │   ├── SettingsError              a flag, variable or file is wrong
    │   ├── LoadError                  a module does not import
    │   ├── LifespanError              the package's services cannot be opened
    │   └── RegistrationError          a class or function cannot be an action
    │       └── DuplicateActionError   two actions share a name (``--strict``)
    └── ServiceError                   an action asked for something that is not there
        ├── NoCallError                there is no running call to speak of
        ├── DegradedError              a service does not work that calls can do without
        └── SlotValueError             a slot does not hold what the action declared
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ActionServerError(Exception):
    """Any error this package raises on purpose."""


class CallError(ActionServerError):
    """One call cannot be answered with 200.

    ``action`` is the name the engine asked for, or ``""`` when the request did not get that far. ``error_id`` is set
    where the details are in the log and not in the message.
    """

    error_id: str | None = None

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.action = action
        # Of an HTTP answer.
        self.headers: dict[str, str] = {}


class RequestError(CallError):
    """The request is malformed: ``message`` says in words what is wrong and where, never a value of it."""


class BodyTooLargeError(RequestError):
    """The body is larger than the limit, before or after inflating it."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the request body is larger than {limit} bytes; if your conversations are that long, "
            "raise the limit with --max-request-bytes"
        )
        self.limit = limit


class SlowBodyError(RequestError):
    """The body did not arrive within ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request body did not arrive within {seconds:g} s (--body-timeout)")
        self.seconds = seconds


class EncodingError(RequestError):
    """The body has a Content-Encoding this server does not speak."""

    def __init__(self) -> None:
        super().__init__("the Content-Encoding of the request is not supported; use deflate, gzip or none")


class ActionNotFoundError(CallError):
    """The request names an action nobody registered."""

    def __init__(self, action: str) -> None:
        # The wording is rasa-sdk's: it is part of the contract captured in tests/contract.
        super().__init__(f"No registered action found for name '{action}'.", action)


class MissingDomainError(CallError):
    """The action needs a domain this server has not seen; the engine retries once and includes it."""

    def __init__(self, action: str) -> None:
        super().__init__(
            "Missing domain context, assistant will retry the request and include the domain in the "
            "request payload. For more information please see https://rasa.com/docs/action-server/",
            action,
        )


class ActionRejectedError(CallError):
    """The action raised ``ActionExecutionRejection``: the engine may predict another one."""


class ActionFailedError(CallError):
    """The action raised. The details are in the log under ``error_id``; the caller learns only the id."""

    def __init__(self, action: str, error_id: str) -> None:
        super().__init__(
            f"Action '{action}' failed. The details are in the action server's log under this error_id.", action
        )
        self.error_id = error_id


class ActionTimeoutError(CallError):
    """The action took longer than it may. ``seconds`` is what it had."""

    def __init__(self, action: str, seconds: float | None, error_id: str) -> None:
        limit = f"its {seconds:g} s" if seconds is not None else "its time"
        super().__init__(f"Action '{action}' did not finish within {limit}.", action)
        self.seconds = seconds
        self.error_id = error_id


class SaturatedError(CallError):
    """More calls run and wait than the setting ``limit`` allows; try again after ``retry_after`` seconds."""

    def __init__(self, action: str, limit: str, retry_after: float) -> None:
        super().__init__(
            f"the action server is busy ({limit} is reached and the queue is full); try again later", action
        )
        self.limit = limit
        self.headers = {"Retry-After": str(max(1, round(retry_after)))}


class UnauthorizedError(CallError):
    """No valid credential came with the request. The message does not say which part of one was wrong."""

    def __init__(self, challenge: str) -> None:
        super().__init__("this request needs a valid credential; see howto/authenticate.md of the action server")
        self.challenge = challenge
        self.headers = {"WWW-Authenticate": challenge}


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
        self.where = where


class LoadError(StartupError):
    """A module of the actions package does not import. ``place`` is ``file:line``."""

    def __init__(self, module: str, place: str, problem: str) -> None:
        super().__init__(f"{place}: cannot import {module!r}: {problem}")
        self.module = module
        self.place = place


class LifespanError(StartupError):
    """The services of a package cannot be opened. ``place`` is ``file:line`` of its lifespan."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: the services cannot be opened: {problem}")
        self.place = place


class RegistrationError(StartupError):
    """A class or function cannot be registered as an action. ``place`` is ``file:line``."""

    def __init__(self, what: str, place: str, problem: str) -> None:
        super().__init__(f"{place}: {what} {problem}")
        self.what = what
        self.place = place


class DuplicateActionError(RegistrationError):
    """Two actions share one name and ``--strict`` is on."""

    def __init__(self, action: str, place: str, first_place: str) -> None:
        super().__init__(f"action {action!r}", place, f"is already registered at {first_place}")
        self.action = action
        self.first_place = first_place


class ServiceError(ActionServerError):
    """An action asked for a service nobody provides, or outside of a running server."""


class NoCallError(ServiceError, LookupError):
    """``current_call()`` was asked for outside of an action's run."""

    def __init__(self) -> None:
        super().__init__("no action is running here: current_call() works inside an action's run()")


class DegradedError(ServiceError):
    """A ping's answer for a service that does not work and that calls can do without: the worker stays ready."""


class SlotValueError(ServiceError, ValueError):
    """Slots hold something else than the action's ``Slots`` class says; ``problems`` says what each should be.

    No value is repeated: slots hold what users said.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"slot {slot!r} {problem}" for slot, problem in problems.items()))
        self.problems = dict(problems)
