"""The status and the details an error of a call has over gRPC."""

from __future__ import annotations

import json

import grpc

from action_server.errors import (
    ActionNotFoundError,
    ActionTimeoutError,
    BodyTooLargeError,
    CallError,
    MissingDomainError,
    OutcomeUnknownError,
    RequestError,
    SaturatedError,
    StillRunningError,
    StoreUnavailableError,
    UnauthorizedError,
    UnreadableAnswerError,
)

# By class, along its ancestry; any other error is INTERNAL, as rasa-sdk's rejections are.
_CODES: dict[type, grpc.StatusCode] = {
    RequestError: grpc.StatusCode.INVALID_ARGUMENT,
    BodyTooLargeError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ActionNotFoundError: grpc.StatusCode.NOT_FOUND,
    MissingDomainError: grpc.StatusCode.NOT_FOUND,
    ActionTimeoutError: grpc.StatusCode.DEADLINE_EXCEEDED,
    SaturatedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UnauthorizedError: grpc.StatusCode.UNAUTHENTICATED,
    StillRunningError: grpc.StatusCode.ABORTED,
    StoreUnavailableError: grpc.StatusCode.UNAVAILABLE,
    OutcomeUnknownError: grpc.StatusCode.FAILED_PRECONDITION,
    UnreadableAnswerError: grpc.StatusCode.FAILED_PRECONDITION,
}
_BUSY = 503
_RESOURCES = {ActionNotFoundError: "ACTION", MissingDomainError: "DOMAIN"}


def code_of(error: CallError) -> grpc.StatusCode:
    """Return the status."""
    if isinstance(error, RequestError) and error.status == _BUSY:
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    return next((_CODES[cls] for cls in type(error).__mro__ if cls in _CODES), grpc.StatusCode.INTERNAL)


def details_of(error: CallError) -> str:
    """Return the details, an object of JSON as rasa-sdk publishes it; with ``error_id`` if the log has more."""
    details = {"action_name": error.action, "message": error.message}
    resource = next((_RESOURCES[cls] for cls in type(error).__mro__ if cls in _RESOURCES), None)
    if resource is not None:
        details["resource_type"] = resource
    if error.error_id is not None:
        details["error_id"] = error.error_id
    return json.dumps(details, separators=(",", ":"))
