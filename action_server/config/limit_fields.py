"""The settings of what a request, a call and a worker may take, and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from action_server.config.flags import Flag
from action_server.runtime.disconnects import OnDisconnect
from action_server.runtime.limits import RequestLimits

# In seconds: a day. Timers of the system fail beyond some limit of their own, an infinite one first.
LONGEST = 86_400
# In bytes. What is inflated is bounded in C, by numbers of 63 bits.
_LARGEST = 1 << 40


class LimitFields(BaseModel):
    """The sizes, numbers and times that are limited. Sizes are in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    max_request_bytes: Annotated[
        int,
        Flag(("--max-request-bytes",)),
        Field(ge=1024, le=_LARGEST, description="largest request body, before and after it is inflated"),
    ] = 32 * 1024 * 1024
    max_bytes_in_flight: Annotated[
        int,
        Flag(("--max-bytes-in-flight",)),
        Field(
            ge=1024 * 1024,
            le=_LARGEST,
            description="bodies of all requests together, in each worker; more are refused with 503",
        ),
    ] = 256 * 1024 * 1024
    max_domains: Annotated[
        int,
        Flag(("--max-domains",)),
        Field(ge=1, description="how many domains (assistants, model versions) a worker remembers"),
    ] = 16
    max_json_depth: Annotated[
        int,
        Flag(("--max-json-depth",)),
        Field(ge=8, le=500, description="how deep objects and lists of a request may be nested"),
    ] = 100
    max_header_bytes: Annotated[
        int,
        Flag(("--max-header-bytes",)),
        Field(ge=1024, le=_LARGEST, description="largest request line and headers together"),
    ] = 16 * 1024
    header_timeout: Annotated[
        float,
        Flag(("--header-timeout",)),
        Field(gt=0, le=LONGEST, description="seconds a client may take to send the headers of a request"),
    ] = 15.0
    body_timeout: Annotated[
        float,
        Flag(("--body-timeout",)),
        Field(gt=0, le=LONGEST, description="seconds a client may take to send the body of a request"),
    ] = 30.0
    timeout: Annotated[
        float,
        Flag(("--timeout",)),
        Field(gt=0, le=300, description="seconds an action may take, waiting included; engines give up after 300"),
    ] = 30.0
    on_disconnect: Annotated[
        OnDisconnect,
        Flag(("--on-disconnect",)),
        Field(description="what a running action does when its caller leaves: `finish`, or `cancel` if it is async"),
    ] = "finish"
    max_calls: Annotated[
        int, Flag(("--max-calls",)), Field(ge=1, description="calls that run at once, in each worker")
    ] = 500
    max_queue: Annotated[
        int,
        Flag(("--max-queue",)),
        Field(ge=0, description="calls that wait for their turn, in each worker; more are refused with 503"),
    ] = 2000
    barge_in_timeout: Annotated[
        float,
        Flag(("--barge-in-timeout",), "ACTION_SERVER_STREAM_BARGE_IN_TIMEOUT_SECONDS"),
        Field(
            gt=0, le=LONGEST, description="seconds an action may go on after the user has interrupted what it streams"
        ),
    ] = 30
    queue_timeout: Annotated[
        float,
        Flag(("--queue-timeout",)),
        Field(ge=0, le=LONGEST, description="seconds a call waits for its turn before it is refused with 503"),
    ] = 10.0
    grace: Annotated[
        float,
        Flag(("--grace",)),
        Field(ge=0, le=LONGEST, description="seconds that running calls may take to finish when the server stops"),
    ] = 30.0
    drain_delay: Annotated[
        float,
        Flag(("--drain-delay",)),
        Field(
            ge=0, le=LONGEST, description="seconds that calls are still taken for after SIGTERM, while /ready says 503"
        ),
    ] = 5.0
    start_timeout: Annotated[
        float,
        Flag(("--start-timeout",)),
        Field(gt=0, le=LONGEST, description="seconds a worker may take to start; it waits for a database that is down"),
    ] = 120.0
    max_blocked: Annotated[
        float,
        Flag(("--max-blocked",)),
        Field(
            ge=0,
            le=LONGEST,
            description="replace a worker that has answered nothing for so many seconds; 0 never does, else 1 at least",
        ),
    ] = 60.0

    @property
    def request_limits(self) -> RequestLimits:
        """What a request may be."""
        return RequestLimits(
            self.max_request_bytes,
            self.max_header_bytes,
            self.max_json_depth,
            self.header_timeout,
            self.body_timeout,
            self.max_bytes_in_flight,
        )
