"""What goes into a request and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from multidict import CIMultiDictProxy
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from yarl import URL

from actions.errors import InvalidRequestError

JsonObject = Mapping[str, Any]

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")


def _proxy(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be the URL of an HTTP proxy, such as http://proxy:3128")
    return value


class TransportSettings(BaseModel):
    """How one system is called. Times are in seconds, sizes in bytes.

    Attributes:
        total_timeout: for the request with all its retries and waits; what is left of the action's own time if less.
        connect_timeout: for the name, the connection and the TLS handshake.
        read_timeout: how long the system may send nothing.
        attempts: how often a request is sent at most; only what is safe to repeat is sent more than once.
        max_response_bytes: of one answer's body, decompressed.
        rate: at most so many requests in so many seconds, for each worker; None sets no limit.
        breaker_failures: after so many failures in a row the host is left alone ...
        breaker_pause: ... for so long; then one request finds out whether it is back.
        proxy: the URL of an HTTP proxy; it may hold a user name and a password.
        trust_env: take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Off: patients' data takes no way that a
            variable of the machine decides.
        ca_file: trust the CAs in this PEM file, and no others, instead of the system's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    total_timeout: Annotated[float, Field(gt=0)] = 8.0
    connect_timeout: Annotated[float, Field(gt=0)] = 2.0
    read_timeout: Annotated[float, Field(gt=0)] = 5.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    max_response_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    rate: tuple[Annotated[int, Field(ge=1)], Annotated[float, Field(gt=0)]] | None = None
    breaker_failures: Annotated[int, Field(ge=1)] = 5
    breaker_pause: Annotated[float, Field(gt=0)] = 20.0
    proxy: Annotated[str, AfterValidator(_proxy)] | None = Field(default=None, repr=False)
    trust_env: bool = False
    ca_file: str | None = None


@dataclass(frozen=True)
class Response:
    """An answer that is not a failure to the transport: 2xx, 3xx and the 4xx that are the caller's to understand.

    `uncertain` says that an earlier try of this very write broke off and may have been carried out: a conflict can be
    one with itself.
    """

    status: int
    # Patients' data: a line of a log that shows an answer shows neither.
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)
    system: str
    uncertain: bool = False

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> JsonObject:
        """Return the body, a JSON object; raises `InvalidRequestError` if it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            media = _MEDIA_TYPE.match(self.headers.get("Content-Type", ""))
            kind = f" but {media[0]}" if media and found is None and "json" not in media[0] else ""
            raise InvalidRequestError(f"{self.system} answered {self.status} with what is not a JSON object{kind}")
        return found
