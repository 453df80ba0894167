"""The rules about what is on the way to this server: what a balancer in front of it refuses, hides or cuts."""

from __future__ import annotations

from action_server.findings.rule import Rule, rules_in

PROXY = "proxy"

PROXY_BODY_SIZE = Rule(
    "proxy-body-size",
    "warning",
    "a request of <size> bytes, as a long conversation makes it, is refused <refusal>",
    fix="raise that limit: client_max_body_size in nginx, request_body in Caddy, LimitRequestBody in Apache",
    section=PROXY,
)
PROXY_TIMEOUT = Rule(
    "proxy-timeout",
    "note",
    "<proxy> is on the way, which gives up after <patience> s unless told otherwise; an action may take <seconds> s",
    fix="check that <setting> is longer than every action may take, see `action-server help behind-a-proxy`",
    section=PROXY,
)
PROXY_MCP = Rule(
    "proxy-mcp",
    "warning",
    "tools are offered here, and at the url's host /mcp <reason>",
    fix="pass /mcp on as /webhook is, name the url's host in `mcp: allowed_hosts:`, or restart the server",
    section=PROXY,
)
PROXY_REQUEST_ID = Rule(
    "proxy-request-id",
    "note",
    "the answer to a request with an X-Request-ID <problem>: log lines cannot be found by the caller's id",
    fix="have the balancer pass X-Request-ID on both ways, as it does unless it is told otherwise",
    section=PROXY,
)

RULES = rules_in(globals())
