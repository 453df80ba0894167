"""What can go wrong with a request: in words, and what it means for whoever asked.

The texts are for operators. They hold names of hosts and numbers; no path, query, header or body.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum

import aiohttp
from yarl import URL

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.transport.models import TransportSettings

# Tokens carry times: systems refuse them when the clocks differ by more than some seconds.
_CLOCK_TOLERANCE = 30
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")

# A proxy on the way has waited for the host.
_TOO_SLOW = (504,)

# OpenSSL's numbers, from x509_vfy.h.
_CERTIFICATES = {
    9: "its certificate is not valid yet; check the clock of this machine",
    10: "its certificate has expired",
    18: "its certificate is signed by itself and is not trusted; name its CA in ca_file",
    19: "its certificate is signed by a CA that is not trusted; name the CA in ca_file",
    20: "its certificate is signed by a CA that is not trusted; name the CA in ca_file",
    21: "its certificate is signed by a CA that is not trusted; name the CA in ca_file",
    23: "its certificate is revoked",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


class Kind(Enum):
    """How far a failed request came."""

    REFUSED = "the credentials were refused: nothing was done"
    LIMITED = "there were too many requests: nothing was done"
    NOT_SENT = "it never reached the system"
    UNSUPPORTED = "the system does not do such things"
    BROKEN = "it was sent, and what became of it is not known"
    UNREADABLE = "it was carried out, and the answer is of no use"


class Failure(Exception):  # noqa: N818 - becomes one of the clinic's errors at the edge
    """One try that failed. `again` says that another one may do better, `blames` that it was the host's fault.

    `slow`: it was sent, and the answer did not come in time.
    """

    def __init__(
        self,
        kind: Kind,
        text: str,
        *,
        status: int | None = None,
        again: bool = False,
        blames: bool = False,
        slow: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status
        self.again = again
        self.blames = blames
        self.slow = slow
        self.retry_after = retry_after

    def error(self, reads: bool, uncertain: bool) -> BackendError:
        """Return the error for the caller; `uncertain`: an earlier try of a write may have been carried out."""
        if uncertain and self.kind is not Kind.BROKEN:
            return OutcomeUnknownError(f"{self.text}; an earlier try may have been carried out")
        if self.kind is Kind.REFUSED:
            return AuthFailedError(self.text)
        if self.kind is Kind.LIMITED:
            return RateLimitedError(self.text, self.retry_after)
        if self.kind is Kind.UNSUPPORTED or (self.kind is Kind.UNREADABLE and reads):
            return InvalidRequestError(self.text)
        if self.kind is Kind.NOT_SENT or reads:
            return UnavailableError(self.text)
        return OutcomeUnknownError(self.text)


def of_status(system: str, status: int, headers: Mapping[str, str]) -> Failure | None:
    """Return what an answer's status means, None if it is the caller's to understand."""
    if status == 401:
        return Failure(Kind.REFUSED, f"{system} refused the credentials (401){clock_note(headers)}", status=status)
    if status == 403:
        text = f"{system} does not allow this with these credentials (403): a permission or a scope is missing"
        return Failure(Kind.REFUSED, text + clock_note(headers), status=status)
    if status == 407:
        return Failure(Kind.REFUSED, f"the proxy on the way to {system} refused its credentials (407)", status=status)
    pause = retry_after(headers)
    if status == 429 or (status == 503 and pause is not None):
        text = f"{system} has too many requests or is not available for now ({status})"
        return Failure(Kind.LIMITED, text, status=status, again=True, retry_after=pause)
    if status in (501, 505):
        return Failure(Kind.UNSUPPORTED, f"{system} does not support this request ({status})", status=status)
    if status >= 500 or status == 408:
        text = f"{system} failed: it answered {status}"
        return Failure(Kind.BROKEN, text, status=status, again=True, blames=True, slow=status in _TOO_SLOW)
    return None


def of_exception(system: str, url: URL, exc: Exception, may_be_sent: bool) -> Failure:
    """Return what an exception of aiohttp's means."""
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        kind = Kind.REFUSED if exc.status == 407 else Kind.NOT_SENT
        return Failure(kind, f"the proxy on the way to {system} answered {exc.status}", again=kind is Kind.NOT_SENT)
    if isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError)):
        proxy = "the proxy on the way to " if isinstance(exc, aiohttp.ClientProxyConnectionError) else ""
        why, again = _connection_problem(url, exc, by_proxy=bool(proxy))
        return Failure(Kind.NOT_SENT, f"{proxy}{system} cannot be reached: {why}", again=again, blames=True)
    if isinstance(exc, (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)):
        return Failure(Kind.BROKEN, f"{system} sent an answer that cannot be read", again=True, blames=True)
    if isinstance(exc, (aiohttp.ClientConnectionError, OSError)):
        kind = Kind.BROKEN if may_be_sent else Kind.NOT_SENT
        return Failure(kind, f"{system} broke the connection off before it answered", again=True, blames=True)
    # An URL, header or body that aiohttp does not take; its text would quote it.
    return Failure(Kind.UNSUPPORTED, f"a request for {system} cannot be sent: a header or the address is malformed")


def of_credentials(exc: BackendError) -> Failure:
    """Return what it means that there are no credentials: in any case the request was not sent."""
    if isinstance(exc, RateLimitedError):
        return Failure(Kind.LIMITED, str(exc), retry_after=exc.retry_after)
    return Failure(Kind.REFUSED if isinstance(exc, AuthFailedError) else Kind.NOT_SENT, str(exc))


def of_timeout(
    system: str, exc: asyncio.TimeoutError, budget: float, settings: TransportSettings, may_be_sent: bool
) -> Failure:
    """Return what a time-out means; `budget` is how many seconds this try had."""
    if isinstance(exc, aiohttp.ConnectionTimeoutError) or not may_be_sent:
        seconds = min(settings.connect_timeout, budget)
        text = f"{system} cannot be reached: no connection within {seconds:.3g} s"
        return Failure(Kind.NOT_SENT, text, again=True, blames=_is_fair(seconds, settings.connect_timeout))
    seconds = settings.read_timeout if isinstance(exc, aiohttp.ServerTimeoutError) else budget
    text = f"{system} did not answer within {seconds:.3g} s"
    return Failure(Kind.BROKEN, text, again=True, blames=_is_fair(seconds, settings.read_timeout), slow=True)


def _is_fair(seconds: float, limit: float) -> bool:
    # Who asks with the last of his time learns nothing about the host.
    return seconds >= min(limit, 1.0)


def _connection_problem(
    url: URL, exc: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError, *, by_proxy: bool
) -> tuple[str, bool]:
    """Say why there is no connection, and whether that can pass soon."""
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return _certificate_problem(exc.certificate_error), False
    cause = exc.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_problem(cause), False
    if isinstance(cause, ssl.SSLError):
        reason = (cause.reason or "").lower().replace("_", " ")
        return f"no TLS connection can be made{f' ({reason})' if reason else ''}", False
    host = exc.host if by_proxy else url.host
    if isinstance(cause, socket.gaierror):
        return f"the name {host} cannot be resolved", cause.errno == socket.EAI_AGAIN
    port = exc.port if by_proxy else url.port
    if isinstance(cause, ConnectionRefusedError):
        return f"{host} port {port} refuses connections", True
    return f"no connection to {host} port {port} can be made", True


def _certificate_problem(exc: Exception) -> str:
    code = getattr(exc, "verify_code", None)
    return _CERTIFICATES.get(code, "its certificate is not trusted") if isinstance(code, int) else "TLS failed"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds `Retry-After` says to wait, None if it says nothing that can be understood."""
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _http_date(text)
    if until is None:
        return None
    # By the system's own clock, if it says what that shows.
    now = _http_date(headers.get("Date", ""))
    return max(0.0, until - (time.time() if now is None else now))


def clock_note(headers: Mapping[str, str]) -> str:
    """Return a remark for the text of an error if the system's clock and ours differ, else ""."""
    theirs = _http_date(headers.get("Date", ""))
    if theirs is None:
        return ""
    ahead = round(theirs - time.time())
    if abs(ahead) <= _CLOCK_TOLERANCE:
        return ""
    which = "ahead of" if ahead > 0 else "behind"
    return f"; its clock is {abs(ahead)} s {which} this machine's, and tokens are refused when clocks differ"


def _http_date(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
        # HTTP's dates are in GMT; the form without a zone is one of the obsolete ones.
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
