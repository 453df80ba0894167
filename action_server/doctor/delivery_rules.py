"""The rules about what jobs deliver: whether the engine answers, and whether it takes our credential."""

from __future__ import annotations

from action_server.findings.rule import Rule, rules_in

DELIVERY = "delivery"

DELIVERY_UNREACHABLE = Rule(
    "delivery-unreachable",
    "error",
    "the engine that results of jobs are brought to does not answer as one: <reason>",
    fix="start it with --enable-api, or correct `delivery: engine`",
    section=DELIVERY,
)
DELIVERY_REFUSED = Rule(
    "delivery-refused",
    "error",
    "the engine refuses our credential, so no result of a job reaches its conversation: <reason>",
    fix="set `delivery: token` to its --auth-token, or `delivery: jwt_secret` to its --jwt-secret",
    section=DELIVERY,
)

DELIVERY_UNKNOWN_ENGINE = Rule(
    "delivery-unknown-engine",
    "error",
    "the engine tells a name that `delivery: engines` does not have, so no result of a job reaches it<hint>",
    fix="add it to `delivery: engines`, or write one of the names there",
    section=DELIVERY,
)

RULES = rules_in(globals())
