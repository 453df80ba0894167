"""Refusals that nothing but HTTP has, with a status no class of errors has: HTTP's own words, or a limit of ours."""

from __future__ import annotations

from action_server.errors import RequestError


def headers_too_large_error(limit: int) -> RequestError:
    """Return the error for a request line and headers that together are longer than ``limit`` bytes: a 431."""
    error = RequestError(
        f"the headers of the request are longer than {limit} bytes; if they have to be, "
        "raise the limit with --max-header-bytes"
    )
    error.status = 431
    return error


def too_many_bytes_error(limit: int) -> RequestError:
    """Return the error for a body for which there is no room beside those of other requests: a 503, to come again."""
    error = RequestError(
        f"the bodies of all requests together are larger than {limit} bytes (--max-bytes-in-flight); try again later"
    )
    error.status = 503
    error.headers = {"Retry-After": "1"}
    return error


def client_gone_error() -> RequestError:
    """Return the error for a client that did not wait; its status is nginx's, as nobody reads the answer."""
    error = RequestError("the client went away")
    error.status = 499
    return error
