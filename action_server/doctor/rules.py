"""All rules of the doctor. The table of docs/howto/doctor.md is made of them."""

from __future__ import annotations

from action_server.doctor import (
    delivery_rules,
    endpoint_rules,
    mcp_rules,
    proxy_rules,
    server_rules,
    storage_rules,
    tls_rules,
)
from action_server.doctor.from_rasa_sdk import rules as move_rules
from action_server.findings.rule import Rule

RULES: dict[str, Rule] = {
    **endpoint_rules.RULES,
    **tls_rules.RULES,
    **server_rules.RULES,
    **proxy_rules.RULES,
    **mcp_rules.RULES,
    **storage_rules.RULES,
    **delivery_rules.RULES,
    **move_rules.RULES,
}
