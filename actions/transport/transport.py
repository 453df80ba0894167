"""One request to another system: credentials, time limits, retries, and its failures as the clinic's errors."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import aiohttp
import stamina
from multidict import CIMultiDict

from action_server import time_left
from actions.errors import BackendError
from actions.transport.address import Address, Params
from actions.transport.body import read_body
from actions.transport.breaker import Admission, Breaker, CircuitOpen
from actions.transport.call import Call, Data, with_body
from actions.transport.credentials import Credentials, NoCredentials
from actions.transport.failures import Failure, Kind, of_credentials, of_exception, of_status, of_timeout
from actions.transport.models import Response, TransportSettings
from actions.transport.pace import Deadline, Pace, TooFast, timeout
from actions.transport.request_log import RequestLog
from actions.transport.route import Route
from actions.transport.session import Progress, breaker_of

# Seconds between tries: a tenth, doubled each time, and up to another tenth by chance.
_FIRST_WAIT, _LONGEST_WAIT, _JITTER = 0.1, 1.0, 0.1
_PART_FAILED = 500


class Transport:
    """Calls one system; `system` is its name in errors, logs and metrics, `base_url` what paths are appended to."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        system: str,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        settings: TransportSettings | None = None,
    ) -> None:
        """Do no I/O; raises `ClinicSettingsError` if the base URL cannot be used."""
        self.system = system
        self._session = session
        self._address = Address(system, base_url)
        self._credentials = credentials or NoCredentials()
        self._settings = settings or TransportSettings()
        self._route = Route(system, self._address.url, self._settings)
        self._breaker = breaker_of(session, self._address.origin)
        self._pace = Pace(self._settings.rate) if self._settings.rate else None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: Data | None = None,
        repeatable: bool | None = None,
        accept: Collection[int] = (),
        name: str | None = None,
        part: str | None = None,
    ) -> Response:
        """Send one request and return the answer; `path` is relative to the base URL, or a whole URL below it.

        `repeatable`: sending it twice does no more than once, as every read and conditional write does; only then is it
        retried after its outcome became unknown. None: reads are, writes are not. A mapping for `data` is sent as form.
        A 3xx is not followed. `accept` are statuses that are returned, not raised: a 401 among them renews no
        credentials, a 5xx is not held against the host. `name` is the path for logs, with a word for what is somebody's
        own: `Patient/{id}`. `part` can fail alone, as one of many calendars: a 500 opens its breaker, not the host's.

        Raises:
            AuthFailedError: 401 (also with renewed credentials) or 403.
            RateLimitedError: 429, or 503 with Retry-After, and no time to wait for it; or the own limit.
            UnavailableError: no connection, the breaker is open, or a read failed (time-out, reset, 5xx).
            OutcomeUnknownError: a write failed after it was sent (time-out, reset, 5xx), in one of its tries.
            InvalidRequestError: what was asked cannot be sent, or the answer to a read cannot be used.
        """
        made, body = with_body(self.system, headers, json, data)
        call = Call(method, self._address.below(path, params), made, body, repeatable, accept, self._deadline(), part)
        log = RequestLog(self.system, method, name)
        try:
            answer = await self._tries(call)
        except Failure as failure:
            error = failure.error(call.reads, call.uncertain)
            log.failure(call.sent, failure.status, error)
            raise error from None
        log.answer(call.sent, answer.status)
        return answer

    @property
    def patience(self) -> float:
        """How many seconds the system may take for an answer that is asked for now."""
        return min(self._settings.read_timeout, self._deadline().left)

    def _deadline(self) -> Deadline:
        left = time_left()
        total = self._settings.total_timeout
        return Deadline(total if left is None else min(left, total))

    async def _tries(self, call: Call) -> Response:
        def worth_another(exc: Exception) -> bool | float:
            return isinstance(exc, Failure) and self._wait(call, exc)

        retrying = stamina.retry_context(
            worth_another,
            attempts=self._settings.attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        )
        async for attempt in retrying.with_name(self.system, (), {}):
            with attempt:
                return await self._try(call)
        raise AssertionError("stamina ended without an answer and without an exception")

    def _wait(self, call: Call, failure: Failure) -> bool | float:
        """Say whether to try again: in how many seconds, True for stamina's own choice, False for not at all."""
        if not call.may_repeat(failure) or any(breaker.is_open for breaker in self._breakers(call)):
            return False
        left = call.deadline.left
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after < left else False
        longest: float = _FIRST_WAIT * 2 ** (call.sent - 1) + _JITTER
        return left > min(_LONGEST_WAIT, longest)

    async def _try(self, call: Call) -> Response:
        """Send the request, and once more in its life if that gets new credentials; raises `Failure`."""
        try:
            return await self._once(call)
        except Failure as failure:
            if failure.status != 401 or not await self._has_renewed(call):
                raise
        return await self._once(call)

    async def _once(self, call: Call) -> Response:
        try:
            # Before anything is fetched in vain; its one place is taken later, as a token may come from the same host.
            for breaker in self._breakers(call):
                breaker.check()
            call.proof = await self._proof(call)
            if self._pace:
                await self._pace.wait(call.deadline)
            tls = await self._route.tls()
            self._require_time(call)
            with ExitStack() as stack:
                admissions = [stack.enter_context(breaker.admit()) for breaker in self._breakers(call)]
                return await self._ask_host(call, tls, admissions)
        except CircuitOpen as exc:
            pause = f"{self.system} failed repeatedly and is not asked for {exc.seconds:.0f} s"
            raise Failure(Kind.NOT_SENT, f"{pause}; the last time: {exc.reason}") from None
        except TooFast as exc:
            text = f"there are more requests for {self.system} than its limit allows"
            raise Failure(Kind.LIMITED, text, retry_after=exc.seconds) from None

    def _require_time(self, call: Call) -> None:
        if not call.deadline.left:
            raise Failure(Kind.NOT_SENT, f"there was no time left to ask {self.system}")
        if self._session.closed:
            raise Failure(Kind.NOT_SENT, f"{self.system} is not asked any more: the worker is ending")

    async def _proof(self, call: Call) -> Mapping[str, str]:
        with self._as_failure():
            async with timeout(call.deadline.left):
                return await self._credentials.headers()

    async def _has_renewed(self, call: Call) -> bool:
        if call.renewed:
            return False
        call.renewed = True
        with self._as_failure():
            async with timeout(call.deadline.left):
                return await self._credentials.renew(call.proof)

    @contextmanager
    def _as_failure(self) -> Iterator[None]:
        try:
            yield
        except BackendError as exc:
            raise of_credentials(exc) from None
        except asyncio.TimeoutError:
            raise Failure(Kind.NOT_SENT, f"there were no credentials for {self.system} in time") from None

    async def _ask_host(self, call: Call, tls: ssl.SSLContext | bool, admissions: Sequence[Admission]) -> Response:
        """Send the request and tell the breakers what that says about the host, and about the part of it."""
        try:
            answer = await self._exchange(call, tls)
        except Failure as failure:
            call.note(failure)
            self._tell(admissions, failure)
            raise
        if answer.status < _PART_FAILED:
            self._tell(admissions, None)
        return answer

    def _tell(self, admissions: Sequence[Admission], failure: Failure | None) -> None:
        *whole, last = admissions
        if failure is not None and failure.blames:
            # Whoever answers 500 to a question about one part is there for the others, whoever takes too long may be.
            blamed = last if failure.status == _PART_FAILED or failure.slow else admissions[0]
            cleared = whole if failure.status == _PART_FAILED else []
            blamed.fail(self._settings.breaker_failures, self._settings.breaker_pause, failure.text)
        else:
            cleared = [*admissions] if failure is None or failure.status is not None else []
        for admission in cleared:
            admission.succeed()

    def _breakers(self, call: Call) -> Sequence[Breaker]:
        part = [breaker_of(self._session, self._address.origin, call.part)] if call.part else []
        return [self._breaker, *part]

    async def _exchange(self, call: Call, tls: ssl.SSLContext | bool) -> Response:
        settings = self._settings
        budget = call.deadline.left
        progress = Progress()
        call.sent += 1
        try:
            async with self._session.request(
                call.method,
                call.url,
                headers=_merge_headers(call.headers, call.proof),
                data=call.body(),
                allow_redirects=False,
                timeout=self._limits(budget),
                proxy=self._route.proxy,
                ssl=tls,
                middlewares=(_send_once,),
                trace_request_ctx=progress,
            ) as answer:
                failure = of_status(self.system, answer.status, answer.headers)
                if failure is not None and answer.status not in call.accept:
                    raise failure
                body = await read_body(self.system, answer, settings.max_response_bytes)
                return Response(answer.status, answer.headers, body, self.system, call.uncertain)
        except asyncio.TimeoutError as exc:
            raise of_timeout(self.system, exc, budget, settings, progress.may_be_sent) from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Without the exception behind it: aiohttp's texts hold whole URLs.
            raise of_exception(self.system, call.url, exc, progress.may_be_sent) from None

    def _limits(self, budget: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=budget,
            connect=self._settings.connect_timeout,
            sock_read=self._settings.read_timeout,
            # What is longer than this is rounded up to whole seconds.
            ceil_threshold=math.inf,
        )


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending PUT, DELETE and reads a second time when a connection breaks: that is decided here."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError("the connection broke") from None


def _merge_headers(headers: CIMultiDict[str], proof: Mapping[str, str]) -> CIMultiDict[str]:
    merged = headers.copy()
    merged.update(proof)
    return merged
