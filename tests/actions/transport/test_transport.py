"""One request: what is sent, what comes back, and what each failure becomes. All servers are real."""

from __future__ import annotations

import asyncio
import gzip

import aiohttp
import pytest
from pydantic import ValidationError

from actions.errors import (
    AuthFailedError,
    BackendError,
    ClinicSettingsError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    UnavailableError,
)
from actions.transport import TransportSettings, open_session
from actions.transport import transport as transport_module
from actions.transport.credentials import Secret, bearer
from tests.actions.transport.transport_servers import (
    HANGS,
    Answer,
    closed_port,
    failing,
    read_request,
    remote,
    speaking,
    transport,
)

SECRET = "s3cr3t-4711"
PATIENT = "Jane-Doe"

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_a_request_carries_what_was_given(session: aiohttp.ClientSession) -> None:
    """Path, query with repeated names, headers, body and credentials; the answer comes back whole."""
    async with remote(Answer(201, b'{"id": 7}', {"ETag": "1"})) as server:
        crm = transport(session, f"{server.url}/api/", bearer(Secret("token", SECRET)))
        answer = await crm.request(
            "POST", "/contacts", params=[("date", "ge1"), ("date", "lt2")], json={"a": "ä"}, headers={"If-Match": "x"}
        )

    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/api/contacts?date=ge1&date=lt2", b'{"a":"\\u00e4"}')
    assert (asked.headers["Content-Type"], asked.headers["If-Match"]) == ("application/json", "x")
    assert asked.headers["Authorization"] == f"Bearer {SECRET}"
    assert (answer.status, answer.headers["etag"], answer.json(), answer.uncertain) == (201, "1", {"id": 7}, False)


async def test_forms_bytes_and_types_of_one_s_own(session: aiohttp.ClientSession) -> None:
    """A mapping is a form, bytes go as they are, and a Content-Type that was given is kept."""
    async with remote() as server:
        crm = transport(session, server.url)
        await crm.request("POST", "form", data={"a": "1 2", "b": "ß"})
        await crm.request("PUT", "bytes", data=b"BEGIN", headers={"content-type": "text/calendar"})
        await crm.request("PUT", "fhir", json=[], headers={"Content-Type": "application/fhir+json"})

    sent = [(asked.headers["Content-Type"], asked.body) for asked in server.asked]
    assert sent == [
        ("application/x-www-form-urlencoded", b"a=1+2&b=%C3%9F"),
        ("text/calendar", b"BEGIN"),
        ("application/fhir+json", b"[]"),
    ]


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 409, 412, 422, 423])
async def test_what_the_caller_must_understand_is_returned(session: aiohttp.ClientSession, status: int) -> None:
    """Success and the refusals that mean something to a mapping."""
    async with remote(then=Answer(status, b"" if status in (204, 304) else b"{}")) as server:
        answer = await transport(session, server.url).request("PUT", "x")

    assert answer.status == status


async def test_redirects_are_not_followed(session: aiohttp.ClientSession) -> None:
    """Credentials do not go where an answer says."""
    async with remote(Answer(302, headers={"Location": "/elsewhere"})) as server:
        answer = await transport(session, server.url).request("GET", "x")

    assert (answer.status, server.methods) == (302, ["GET"])


FAILURES: list[tuple[str, Answer, type[BackendError], type[BackendError], str]] = [
    ("401", failing(401), AuthFailedError, AuthFailedError, "refused the credentials (401)"),
    ("403", failing(403), AuthFailedError, AuthFailedError, "a permission or a scope is missing"),
    ("407", failing(407), AuthFailedError, AuthFailedError, "the proxy on the way to crm refused its credentials"),
    ("429", failing(429), RateLimitedError, RateLimitedError, "too many requests"),
    ("503 with a time", failing(503, Retry_After="99"), RateLimitedError, RateLimitedError, "not available for now"),
    ("503", failing(503), UnavailableError, OutcomeUnknownError, "it answered 503"),
    ("500", failing(500), UnavailableError, OutcomeUnknownError, "it answered 500"),
    ("507", failing(507), UnavailableError, OutcomeUnknownError, "it answered 507"),
    ("408", failing(408), UnavailableError, OutcomeUnknownError, "it answered 408"),
    ("501", failing(501), InvalidRequestError, InvalidRequestError, "does not support this request (501)"),
    ("silence", HANGS, UnavailableError, OutcomeUnknownError, "did not answer within 0.1 s"),
    ("bad gzip", failing(200, Content_Encoding="gzip"), UnavailableError, OutcomeUnknownError, "cannot be read"),
    ("too large", Answer(body=b"x" * 2048), InvalidRequestError, OutcomeUnknownError, "more than 1024 bytes"),
    (
        "a bomb",
        Answer(body=gzip.compress(b"x" * 10_000_000), headers={"Content-Encoding": "gzip"}),
        InvalidRequestError,
        OutcomeUnknownError,
        "more than 1024 bytes",
    ),
]


@pytest.mark.parametrize(("answer", "read", "write", "words"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
async def test_a_failure_is_what_it_means_for_the_caller(
    session: aiohttp.ClientSession, answer: Answer, read: type[BackendError], write: type[BackendError], words: str
) -> None:
    """Reads are safe to repeat; a write that may have been carried out says so. Neither quotes the answer."""
    async with remote(then=answer) as server:
        crm = transport(session, server.url, attempts=1, read_timeout=0.1, max_response_bytes=1024)
        for method, expected in (("GET", read), ("POST", write)):
            with pytest.raises(BackendError) as caught:
                await crm.request(method, f"{PATIENT}?q={SECRET}")

            assert type(caught.value) is expected
            assert words in str(caught.value)
            assert "secret" not in str(caught.value)


async def test_statuses_can_be_accepted(session: aiohttp.ClientSession) -> None:
    """For systems that say in the body of a 403 or 500 what they mean."""
    async with remote(Answer(403, b'{"code": "REQUEST_LIMIT_EXCEEDED"}'), Answer(500, b"[]")) as server:
        crm = transport(session, server.url)

        assert (await crm.request("POST", "x", accept=(403,))).json() == {"code": "REQUEST_LIMIT_EXCEEDED"}
        assert (await crm.request("POST", "x", accept=(500,))).status == 500


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_never_left_us_did_not_happen(session: aiohttp.ClientSession, method: str) -> None:
    """No name, no port, no listener: unavailable also for writes, and the text says which it is."""
    port = closed_port()
    cases = {
        f"http://127.0.0.1:{port}": f"127.0.0.1 port {port} refuses connections",
        "http://clinic.invalid": "the name clinic.invalid cannot be resolved",
    }
    for url, words in cases.items():
        with pytest.raises(UnavailableError, match=words):
            await transport(session, url, attempts=1).request(method, f"x?q={SECRET}")


async def test_a_connection_that_takes_too_long_was_not_made(session: aiohttp.ClientSession) -> None:
    """Somebody listens and does not speak TLS: nothing was sent, and the certificate is not even known."""
    silent = asyncio.Event()

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()

    async with speaking(conversation) as url:
        crm = transport(session, url.replace("http:", "https:"), attempts=1, connect_timeout=0.1)
        with pytest.raises(UnavailableError, match=r"no connection within 0\.1 s"):
            await crm.request("POST", "x")
        # The deadline comes before the time-out of its own, and the outcome is known all the same.
        short = transport(session, url.replace("http:", "https:"), attempts=1, total_timeout=0.1)
        with pytest.raises(UnavailableError, match=r"no connection within 0\.(1|0\d+) s"):
            await short.request("POST", "x")
        silent.set()


RESETS = ["PUT", "DELETE", "POST", "MKCALENDAR"]


@pytest.mark.parametrize("method", RESETS)
async def test_a_kept_connection_that_breaks_is_an_unknown_outcome(session: aiohttp.ClientSession, method: str) -> None:
    """The server may have read the write before it hung up: it is not sent again behind the caller's back."""
    heard: list[str] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heard.append((await read_request(reader)).split()[0])
            if heard[-1] == method:
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with speaking(conversation) as url:
        crm = transport(session, url)
        await crm.request("GET", "x")
        with pytest.raises(OutcomeUnknownError, match="broke the connection off"):
            await crm.request(method, "x", data=b"y")

    assert heard == ["GET", method]


async def test_an_answer_that_breaks_off_is_an_unknown_outcome(session: aiohttp.ClientSession) -> None:
    """Half of a body is no answer."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")

    async with speaking(conversation) as url:
        with pytest.raises(OutcomeUnknownError, match="cannot be read"):
            await transport(session, url).request("POST", "x")


async def test_what_is_not_http_is_an_unknown_outcome(session: aiohttp.ClientSession) -> None:
    """Another protocol answers at that port."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")

    async with speaking(conversation) as url:
        with pytest.raises(UnavailableError, match="cannot be read"):
            await transport(session, url, attempts=1).request("GET", "x")


JSON_BODIES = [
    (b"{", "application/json", "what is not a JSON object$"),
    (b"[]", "application/json", "what is not a JSON object$"),
    (b"<html>", "text/html; charset=utf-8", "what is not a JSON object but text/html$"),
    (b"\xff\xfe\x00", "", "what is not a JSON object"),
    (b"[" * 100_000, "application/json", "what is not a JSON object"),
]


@pytest.mark.parametrize(("body", "kind", "words"), JSON_BODIES)
async def test_what_is_not_json_is_said_with_its_type(
    session: aiohttp.ClientSession, body: bytes, kind: str, words: str
) -> None:
    """A login page looks like a success otherwise."""
    async with remote(Answer(200, body, {"Content-Type": kind})) as server:
        answer = await transport(session, server.url).request("GET", "x")

    with pytest.raises(InvalidRequestError, match=words):
        answer.json()


OUTSIDE = [
    "https://127.0.0.1:{port}/api/x",
    "http://localhost:{port}/api/x",
    "http://127.0.0.1:1/api/x",
    "http://127.0.0.1:{port}/other",
    "http://127.0.0.1:{port}/apix",
    "http://127.0.0.1:{port}/api/../other",
    "http://user:pw@127.0.0.1:{port}/api/x",
    "../other",
    "%2e%2e/other",
    "ftp://127.0.0.1/api/x",
    "http://[::1/x",
]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_nothing_outside_of_the_base_url_is_asked(session: aiohttp.ClientSession, path: str) -> None:
    """Links come from answers; credentials go to their own system only."""
    async with remote() as server:
        for credentials in (bearer(Secret("token", SECRET)), None):
            crm = transport(session, f"{server.url}/api", credentials)
            with pytest.raises(InvalidRequestError):
                await crm.request("GET", path.format(port=server.url.rpartition(":")[2]))

    assert server.asked == []


async def test_whole_urls_below_the_base_url_are_asked(session: aiohttp.ClientSession) -> None:
    """As a page of a FHIR search names the next one; what is encoded stays encoded."""
    async with remote() as server:
        crm = transport(session, f"{server.url}/api/")
        for path in (f"{server.url}/api/a%2Fb?page=2", f"{server.url}/api", "//x", "ä b", ""):
            await crm.request("GET", path)

    assert [asked.target for asked in server.asked] == [
        "/api/a%2Fb?page=2",
        "/api",
        "/api/x",
        "/api/%C3%A4%20b",
        "/api/",
    ]


BAD_URLS = ["", "crm.example.org", "ftp://crm", "http://", "https://u:p@crm", "https://crm?x=1", "https://crm:99999"]


@pytest.mark.parametrize("url", BAD_URLS)
async def test_a_base_url_that_cannot_be_used_is_refused_at_once(session: aiohttp.ClientSession, url: str) -> None:
    """The text does not quote it: there may be a password in it."""
    with pytest.raises(ClinicSettingsError) as caught:
        transport(session, url)

    assert "the URL of crm" in str(caught.value)
    assert "u:p" not in str(caught.value)


async def test_what_cannot_be_sent_is_not_sent(session: aiohttp.ClientSession) -> None:
    """Values that JSON has not, and headers that would be two."""
    async with remote() as server:
        crm = transport(session, server.url)
        for json in (float("nan"), {1, 2}, b"x"):
            with pytest.raises(InvalidRequestError, match="not JSON"):
                await crm.request("POST", "x", json=json)
        with pytest.raises(InvalidRequestError, match="a header or the address is malformed"):
            await crm.request("POST", "x", headers={"X-Name": f"{PATIENT}\r\nX-Admin: yes"})

    assert server.asked == []


async def test_the_call_s_own_deadline_counts(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the action's time bounds a request, however long its own limits are."""
    async with remote(then=HANGS) as server:
        crm = transport(session, server.url, total_timeout=600, read_timeout=600, attempts=1)
        monkeypatch.setattr(transport_module, "time_left", lambda: 0.1)
        with pytest.raises(OutcomeUnknownError, match=r"within 0\.\d+ s"):
            await crm.request("POST", "x")
        monkeypatch.setattr(transport_module, "time_left", lambda: 0.0)
        with pytest.raises(UnavailableError, match="no time left to ask crm"):
            await crm.request("POST", "x")

    assert len(server.asked) == 1


async def test_a_cancelled_request_ends_at_once(session: aiohttp.ClientSession) -> None:
    """Whoever gives up is not kept, and the next one is not in his way."""
    async with remote(HANGS) as server:
        crm = transport(session, server.url)
        task = asyncio.create_task(crm.request("GET", "x"))
        await server.wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (await crm.request("GET", "x")).status == 200


async def test_after_the_session_nothing_is_asked() -> None:
    """A sweeper that is late hears a word of ours."""
    async with open_session() as session:
        crm = transport(session, "http://127.0.0.1:1")

    with pytest.raises(UnavailableError, match="the worker is ending"):
        await crm.request("POST", "x")


BAD_SETTINGS: list[dict[str, object]] = [
    {"proxy": "socks5://proxy:1080"},
    {"proxy": "proxy:3128"},
    {"rate": (0, 1.0)},
    {"rate": (1, 0)},
    {"attempts": 0},
    {"total_timeout": 0},
    {"unknown": 1},
]


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=[str(s) for s in BAD_SETTINGS])
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object]) -> None:
    """At start-up, by the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        TransportSettings.model_validate(settings)

    assert next(iter(settings)) in str(caught.value)
