"""Web pages do not come in: the checks of Host and Origin."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from action_server.runtime.tool_options import McpSettings
from action_server.security.auth import AuthSettings
from action_server.serving.mcp.origins import Origins
from tests.action_server.serving.mcp.tool_server import tool_server

NAMED = McpSettings(allowed_hosts=("Actions.clinic", "10.0.0.7:8080"), allowed_origins=("https://Desk.clinic/",))
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

CASES: list[tuple[str, dict[str, str], bool, bool]] = [
    ("localhost", {"Host": "localhost:5055"}, True, True),
    ("an address of this machine", {"Host": "127.0.0.1:5055"}, True, True),
    ("IPv6 of this machine", {"Host": "[::1]:5055"}, True, True),
    ("another name", {"Host": "evil.example"}, False, True),
    ("a name that only begins alike", {"Host": "localhost.evil.example"}, False, True),
    ("an address of another machine", {"Host": "192.168.1.4:5055"}, False, True),
    ("a name of the settings", {"Host": "actions.clinic:80"}, True, True),
    ("a name of the settings in capitals", {"Host": "ACTIONS.clinic"}, True, True),
    ("a name with its port", {"Host": "10.0.0.7:8080"}, True, True),
    ("a name with another port", {"Host": "10.0.0.7:9090"}, False, True),
    ("nobody's name", {"Host": ""}, False, True),
    ("a page of this machine", {"Host": "localhost", "Origin": "http://localhost:6274"}, True, True),
    ("a page of the settings", {"Host": "localhost", "Origin": "https://desk.clinic"}, True, True),
    ("a page of anybody", {"Host": "localhost", "Origin": "http://evil.example"}, False, False),
    ("a page of the settings in capitals", {"Host": "localhost", "Origin": "https://DESK.clinic/"}, True, True),
    ("a page of the settings without TLS", {"Host": "localhost", "Origin": "http://desk.clinic"}, False, False),
    ("a page from a file", {"Host": "localhost", "Origin": "null"}, False, False),
    ("an extension", {"Host": "localhost", "Origin": "chrome-extension://localhost"}, False, False),
    ("no page, of Node", {"Host": "localhost", "Sec-Fetch-Mode": "cors"}, True, True),
]


def test_a_star_lets_any_name_in_and_each_header_counts() -> None:
    """One good header beside a bad one opens nothing; what is no URL is nobody's."""
    anybody = Origins(McpSettings(allowed_hosts=("*",), allowed_origins=("*",)), is_closed=False)
    named = Origins(NAMED, is_closed=False)
    odd: CIMultiDict[str] = CIMultiDict({"Host": "evil.example", "Origin": "null"})

    assert anybody.problem_of(odd) is None
    for name, good, bad in (("Host", "localhost", "evil.example"), ("Origin", "http://localhost", "http://evil")):
        assert named.problem_of(CIMultiDict([(name, good), (name, bad)])) is not None
    for name, value in (("Host", "[::1"), ("Origin", "http://[::1")):
        assert named.problem_of(CIMultiDict({name: value})) is not None


@pytest.mark.parametrize(("headers", "is_open", "is_closed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_who_may_come_in(headers: dict[str, str], is_open: bool, is_closed: bool) -> None:
    """Without a credential, and with one: then any name will do, as in a cluster."""
    sent: CIMultiDict[str] = CIMultiDict(headers)

    assert (Origins(NAMED, is_closed=False).problem_of(sent) is None) is is_open
    assert (Origins(NAMED, is_closed=True).problem_of(sent) is None) is is_closed


@pytest.mark.parametrize(
    ("headers", "said"),
    [({"Host": "evil.example"}, "mcp.allowed_hosts"), ({"Origin": "http://evil.example"}, "mcp.allowed_origins")],
)
async def test_a_foreign_page_gets_a_403(headers: dict[str, str], said: str, caplog: pytest.LogCaptureFixture) -> None:
    """And learns nothing but what to set; the log has who it was, and the same words."""
    async with tool_server() as tools:
        status, answer = await tools.post(PING, X_Request_ID="r-1", **headers)
        good, _ = await tools.post(PING)

    assert (status, good) == (403, 200)
    assert "evil" not in str(answer)
    assert "id" not in answer
    assert answer["error"]["code"] == -32600
    assert said in answer["error"]["message"]
    [line] = [vars(r) for r in caplog.records if r.message == "call.refused"]
    assert (line["status"], line["problem"]) == (403, answer["error"]["message"])
    assert (line["request_id"], line["client"]) == ("r-1", "127.0.0.1")


async def test_with_a_credential_a_name_in_a_cluster_is_fine() -> None:
    """And without it nobody comes in."""
    async with tool_server(
        auth=AuthSettings.model_validate({"tokens": ["a-token-of-thirty-two-characters-x"]})
    ) as tools:
        refused, _ = await tools.post(PING, Host="clinic-actions:5055")
        let_in, _ = await tools.post(
            PING, Host="clinic-actions:5055", Authorization="Bearer a-token-of-thirty-two-characters-x"
        )

    assert (refused, let_in) == (401, 200)
