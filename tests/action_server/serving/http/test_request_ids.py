"""Every reply has an id, whatever became of its request, and so has the line that tells why it was refused."""

from __future__ import annotations

import asyncio

import pytest

from action_server.security.auth import AuthSettings
from tests.action_server.serving.http.raw_calls import (
    GOOD,
    LIMIT,
    PLAIN,
    body_of,
    connected,
    exchange,
    gate,
    request,
    serving,
)

GET = "GET /health HTTP/1.1"
REPLIES: dict[str, tuple[bytes, int]] = {
    "a reply": (request(), 200),
    "no JSON": (request(b"{"), 400),
    "an action that rejects": (request(body_of("action_reject")), 400),
    "an action that fails": (request(body_of("action_fail")), 500),
    "an action nobody has": (request(body_of("action_nobody")), 404),
    "a page": (request(b"", line=GET, framed=False), 200),
    "a path nobody has": (request(b"", line="GET /nothing HTTP/1.1", framed=False), 404),
    "another method": (request(line="PUT /webhook HTTP/1.1"), 405),
    "too much": (request(b"", f"Content-Length: {LIMIT + 1}", framed=False), 413),
    "another encoding": (request(GOOD, "Content-Encoding: br"), 415),
    "an Expect nobody knows": (request(GOOD, "Expect: a"), 417),
    "large headers": (request(GOOD, "A: " + "a" * 20_000), 431),
    "a head that is refused": (request(GOOD, "A: a\0"), 400),
    "a URL that cannot be parsed": (request(line="POST http://[::1 HTTP/1.1"), 400),
    "a domain to be sent": (request(body_of("action_fail")[:-1] + b', "domain_digest": "d"}'), 449),
}
# Of these the head is not read, and with it no id.
UNREAD = {"large headers", "a head that is refused", "a URL that cannot be parsed"}


@pytest.mark.parametrize("way", [[], [PLAIN]], ids=["fast", "plain"])
@pytest.mark.parametrize("case", REPLIES)
async def test_every_reply_has_an_id_and_its_line_too(
    port: int, case: str, way: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The caller's, if the head could be read, or one of 16 digits."""
    data, status = REPLIES[case]
    for given in ([], ["X-Request-ID: mine-1"]):
        caplog.clear()
        more = "".join(f"{header}\r\n" for header in (*way, *given)).encode()
        found, headers, _ = await exchange(port, data.replace(b"Host: x\r\n", b"Host: x\r\n" + more))

        assert found[9:12] == str(status)
        if given and case not in UNREAD:
            assert headers["x-request-id"] == "mine-1"
        else:
            assert len(headers["x-request-id"]) == 16
        lines = [vars(r) for r in caplog.records if r.msg == "call.refused"]
        assert [line["request_id"] for line in lines] == [headers["x-request-id"]] * len(lines)


async def test_a_refused_credential_has_an_id() -> None:
    """Of the one answer that most callers never see."""
    async with serving(auth=AuthSettings.model_validate({"tokens": ["right-token-0815"]})) as port:
        status, headers, _ = await exchange(port, request())

    assert (status[9:12], len(headers["x-request-id"])) == ("401", 16)


async def test_a_slow_body_and_a_client_that_is_gone_have_ids(caplog: pytest.LogCaptureFixture) -> None:
    """Their lines in the log are all that is left to look for."""
    async with serving(header_timeout=0.2, body_timeout=0.2, on_disconnect="cancel") as port:
        async with connected(port) as connection:
            connection.send(request(GOOD, "X-Request-ID: slow")[:-5])
            assert (await connection.answer())[1]["x-request-id"] == "slow"
        async with connected(port) as connection:
            connection.send(request(body_of("action_wait"), "X-Request-ID: gone"))
            await gate.started.wait()
        # The server hears of it when its loop comes to it.
        while len(refused(caplog)) < 2:  # noqa: ASYNC110 - the log sets no event
            await asyncio.sleep(0)

    assert refused(caplog) == {("slow", 408), ("gone", 499)}


def refused(caplog: pytest.LogCaptureFixture) -> set[tuple[str, int]]:
    lines = [vars(record) for record in caplog.records if record.msg == "call.refused"]
    return {(line["request_id"], line["status"]) for line in lines}
