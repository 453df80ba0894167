"""Tokens: how often they are fetched, when they are renewed, and what is said when there is none."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import aiohttp
import pytest

from actions.errors import AuthFailedError, BackendError, OutcomeUnknownError, RateLimitedError, UnavailableError
from actions.transport.credentials import Secret
from actions.transport.grants import ClientSecretGrant
from actions.transport.tokens import TokenCredentials
from tests.actions.transport.token_servers import SECRET, Clock, oauth, refusal, sent_tokens, token
from tests.actions.transport.transport_servers import HANGS, OK, Answer, Asked, closed_port, failing, remote, transport

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_many_wait_for_one_token(session: aiohttp.ClientSession) -> None:
    """And keep it for later requests."""
    async with remote(token(expires_in=3600)) as endpoint, remote() as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        await asyncio.gather(*(crm.request("POST", "x") for _ in range(20)))
        await crm.request("POST", "x")

    assert (len(endpoint.asked), sent_tokens(server)) == (1, ["token-1"] * 21)


LIFETIMES: list[tuple[dict[str, object], float, float]] = [
    ({"expires_in": 3600}, 3539, 3541),
    ({"expires_in": 300}, 269, 271),
    ({"expires_in": "300"}, 269, 271),
]


@pytest.mark.parametrize(("said", "good", "over"), LIFETIMES, ids=["an hour", "five minutes", "as text"])
async def test_a_token_is_renewed_shortly_before_it_expires(
    session: aiohttp.ClientSession, said: dict[str, object], good: float, over: float
) -> None:
    """A minute, or a tenth of a short life: on its way it must not expire."""
    clock = Clock()
    async with remote(token("first", **said), token("second")) as endpoint:
        grant = ClientSecretGrant("me", Secret("secret", SECRET), None, "basic")
        proof = TokenCredentials(transport(session, endpoint.url), grant, clock)
        for seconds, text in ((0, "first"), (good, "first"), (over, "second")):
            clock.now = 1000 + seconds
            assert await proof.headers() == {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    "said", [{}, {"expires_in": None}, {"expires_in": "soon"}, {"expires_in": -1}, {"expires_in": 0}]
)
async def test_a_token_without_an_end_is_used_until_it_is_refused(
    session: aiohttp.ClientSession, said: dict[str, object]
) -> None:
    """Salesforce does not say; then one 401 gets another one, and the request is sent again, a write too."""
    clock = Clock()
    async with remote(token("first", **said), token("second")) as endpoint, remote(OK, failing(401), OK) as server:
        grant = ClientSecretGrant("me", Secret("secret", SECRET), None, "basic")
        crm = transport(session, server.url, TokenCredentials(transport(session, endpoint.url), grant, clock))
        await crm.request("POST", "x")
        clock.now += 1e9
        answer = await crm.request("POST", "x")

    assert sent_tokens(server) == ["first", "first", "second"]
    assert not answer.uncertain


async def test_a_token_is_renewed_once(session: aiohttp.ClientSession) -> None:
    """A system that refuses every token is not asked for ever."""
    async with remote(token("1"), token("2"), token("3")) as endpoint, remote(then=failing(401)) as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        with pytest.raises(AuthFailedError, match="crm refused the credentials"):
            await crm.request("GET", "x")

    assert sent_tokens(server) == ["1", "2"]


async def test_many_refused_at_once_renew_once(session: aiohttp.ClientSession) -> None:
    """Only the token that was refused is dropped, not the one that replaced it."""

    good = "Bearer old"

    def judge(asked: Asked) -> Answer:
        return OK if asked.headers["Authorization"] == good else failing(401)

    async with remote(token("old"), token("new")) as endpoint, remote(then=judge) as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        await crm.request("POST", "x")
        good = "Bearer new"
        await asyncio.gather(*(crm.request("POST", "x") for _ in range(10)))

    assert len(endpoint.asked) == 2
    assert Counter(sent_tokens(server)) == {"old": 11, "new": 10}


async def test_a_late_refusal_does_not_drop_the_next_token(session: aiohttp.ClientSession) -> None:
    """Somebody's request with the old one took longer."""
    async with remote(token("old"), token("new")) as endpoint:
        proof = oauth(session, endpoint.url)
        old = await proof.headers()
        assert await proof.renew(old)
        new = await proof.headers()
        assert await proof.renew(old)

        assert await proof.headers() == new == {"Authorization": "Bearer new"}


async def test_credentials_are_renewed_once_in_all_tries(session: aiohttp.ClientSession) -> None:
    """A second refusal after a failure in between is the answer."""
    answers = (failing(401), failing(500), failing(401))
    async with remote(then=token()) as endpoint, remote(*answers) as server:
        with pytest.raises(AuthFailedError):
            await transport(session, server.url, oauth(session, endpoint.url)).request("GET", "x")

    assert len(server.asked) == 3


CODES = {
    "invalid_client": "the client is not known, or its secret or key is not the right one (invalid_client)",
    "invalid_scope": "a scope is not known, or the client may not have it (invalid_scope)",
    "invalid_grant": "its secret, subject, audience, key or time is not right (invalid_grant)",
    "unauthorized_client": "the client may not fetch tokens in this way (unauthorized_client)",
    "something_else": "it refused (something_else)",
    f"<{SECRET}>": "it answered 400",
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_client_is_said_in_words(session: aiohttp.ClientSession, code: str, status: int) -> None:
    """With OAuth's code; the server's own description may hold anything and is left out."""
    async with remote(then=refusal(status, code)) as endpoint, remote() as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        with pytest.raises(AuthFailedError) as caught:
            await crm.request("POST", "x")

    words = CODES[code].replace("400", str(status))
    assert str(caught.value) == f"the token endpoint of crm gave no token: {_full(words)}"
    assert (len(endpoint.asked), server.asked) == (1, [])


def _full(words: str) -> str:
    grant = "the proof was not accepted: "
    return grant + words if "invalid_grant" in words else words


NO_TOKENS: list[tuple[Answer, str]] = [
    (Answer(body=b"<html>"), "its answer holds no usable access_token"),
    (Answer(body=b'{"access_token": ""}'), "its answer holds no usable access_token"),
    (Answer(body=b'{"access_token": 7}'), "its answer holds no usable access_token"),
    (Answer(body=b'{"access_token": "a\\r\\nX-Admin: yes"}'), "its answer holds no usable access_token"),
    (token(token_type="mac"), "gave a token that is not a bearer token"),
    (Answer(404), "it answered 404"),
    (Answer(302), "it answered 302"),
    (failing(403), "it answered 403"),
]


@pytest.mark.parametrize(("answer", "words"), NO_TOKENS, ids=[str(n) for n in range(len(NO_TOKENS))])
async def test_an_answer_without_a_token_is_said_in_words(
    session: aiohttp.ClientSession, answer: Answer, words: str
) -> None:
    """As from a wrong token URL."""
    async with remote(answer) as endpoint:
        with pytest.raises(AuthFailedError, match=words):
            await transport(session, "https://crm.invalid", oauth(session, endpoint.url)).request("POST", "x")


async def test_without_a_token_nothing_was_sent(session: aiohttp.ClientSession) -> None:
    """Whatever becomes of the token's request, the one it was for is safe to repeat."""
    quick = {"read_timeout": 0.05, "attempts": 2}
    cases: list[tuple[Answer, type[BackendError]]] = [
        (HANGS, UnavailableError),
        (failing(500), UnavailableError),
        (failing(429, Retry_After="99"), RateLimitedError),
    ]
    for answer, error in cases:
        async with remote(then=answer) as endpoint, remote() as server:
            proof = oauth(session, endpoint.url, token_transport=quick)
            with pytest.raises(error, match="the token endpoint of crm") as caught:
                await transport(session, server.url, proof).request("POST", "x")
            with pytest.raises(error) as direct:
                await proof.headers()

        assert type(caught.value) is type(direct.value) is error
        assert server.asked == []
    gone = oauth(session, f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(UnavailableError, match="the token endpoint of crm cannot be reached"):
        await transport(session, "https://crm.invalid", gone).request("POST", "x")


async def test_those_who_waited_share_a_refusal(session: aiohttp.ClientSession) -> None:
    """Twenty callers do not lock an account by asking one after the other; who comes later asks again."""
    async with remote(refusal(401, "invalid_client"), token()) as endpoint, remote() as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        first = await asyncio.gather(*(crm.request("POST", "x") for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in first} == {AuthFailedError}
        assert len(endpoint.asked) == 1
        assert (await crm.request("POST", "x")).status == 200


async def test_who_gives_up_does_not_fail_those_who_wait(session: aiohttp.ClientSession) -> None:
    """The next one fetches the token instead."""
    async with remote(HANGS, token()) as endpoint, remote() as server:
        crm = transport(session, server.url, oauth(session, endpoint.url))
        first = asyncio.create_task(crm.request("POST", "x"))
        await endpoint.wait_for(1)
        others = [asyncio.create_task(crm.request("POST", "x")) for _ in range(5)]
        await asyncio.sleep(0)  # they wait
        first.cancel()
        answers = await asyncio.gather(*others)

    assert [answer.status for answer in answers] == [200] * 5
    assert len(endpoint.asked) == 2


async def test_the_deadline_counts_for_the_token_as_well(session: aiohttp.ClientSession) -> None:
    """A slow token endpoint does not keep a caller longer than he has."""
    async with remote(then=HANGS) as endpoint, remote() as server:
        crm = transport(session, server.url, oauth(session, endpoint.url), total_timeout=0.05)
        with pytest.raises(UnavailableError, match="no credentials for crm in time"):
            await crm.request("POST", "x")

    assert server.asked == []


async def test_a_write_stays_uncertain_when_its_token_is_gone(session: aiohttp.ClientSession) -> None:
    """The first try may have been carried out; that there is no token for the second one does not change that."""

    class Once:
        def __init__(self) -> None:
            self.calls = 0

        async def headers(self) -> Mapping[str, str]:
            self.calls += 1
            if self.calls > 1:
                raise AuthFailedError("the token endpoint of crm gave no token")
            return {}

        async def renew(self, used: Mapping[str, str]) -> bool:
            return False

    async with remote(failing(500)) as server:
        with pytest.raises(OutcomeUnknownError, match="gave no token; an earlier try may have been carried out"):
            await transport(session, server.url, Once()).request("PUT", "x", repeatable=True)


async def test_tokens_and_api_at_one_host_do_not_block_each_other(session: aiohttp.ClientSession) -> None:
    """When the host comes back, the one request that finds out needs a token from it first."""
    limits: dict[str, Any] = {"breaker_failures": 1, "breaker_pause": 0.001}
    async with remote(failing(500), token(), OK) as server:
        proof = oauth(session, server.url, token_transport={**limits, "attempts": 1})
        crm = transport(session, f"{server.url}/api", proof, **limits)
        with pytest.raises(UnavailableError):
            await crm.request("GET", "x")
        await asyncio.sleep(0.01)  # the pause

        assert (await crm.request("GET", "x")).status == 200


SKEWS: list[tuple[int, str]] = [
    (95, "its clock is 9[3-6] s ahead of this machine's, and tokens are refused when clocks differ"),
    (-3600, "its clock is 36[0-9][0-9] s behind this machine's"),
]


@pytest.mark.parametrize(("seconds", "words"), SKEWS, ids=["ahead", "behind"])
async def test_clocks_that_differ_are_named(session: aiohttp.ClientSession, seconds: int, words: str) -> None:
    """That is why tokens are refused, by the API and by the token endpoint."""
    date = formatdate(time.time() + seconds, usegmt=True)
    refused = refusal(400, "invalid_grant", Date=date)
    async with remote(token(), refused) as endpoint, remote(then=failing(401, Date=date)) as server:
        with pytest.raises(AuthFailedError, match=f"refused the credentials .401.; {words}"):
            await transport(session, server.url).request("GET", "x")
        with pytest.raises(AuthFailedError, match=rf"\(invalid_grant\); {words}"):
            await transport(session, server.url, oauth(session, endpoint.url)).request("GET", "x")


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 16:21:00 GMT"])
async def test_a_date_that_says_nothing_is_left_out(session: aiohttp.ClientSession, date: str) -> None:
    """No clock, no remark."""
    async with remote(then=failing(401, Date=date)) as server:
        with pytest.raises(AuthFailedError, match=r"\(401\)$"):
            await transport(session, server.url).request("GET", "x")


async def test_no_credential_is_in_any_text(session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in errors and what is behind them, nor in logs, nor in what objects show of themselves."""
    caplog.set_level("DEBUG")
    async with remote(token(SECRET), then=failing(500)) as endpoint, remote(then=failing(401)) as server:
        proof = oauth(session, endpoint.url, client_auth="body")
        crm = transport(session, server.url, proof)
        with pytest.raises(BackendError) as caught:
            await crm.request("POST", f"x?key={SECRET}")

    behind: list[BaseException] = []
    exc: BaseException | None = caught.value
    while exc is not None:
        behind.append(exc)
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    assert SECRET not in repr(behind)
    assert SECRET not in repr([vars(record) for record in caplog.records])
    assert SECRET not in repr([proof, Secret("token", SECRET)])
