"""What may have to be changed in a bot that moves here from `python -m rasa_sdk`, and what may stay as it is."""

from __future__ import annotations

from action_server.findings.rule import READ, Rule, rules_in

MOVE = "from rasa-sdk"

REQUIREMENT_CONFLICT = Rule(
    "requirement-conflict",
    "error",
    "<written> leaves out <needed>, which this server runs on: pip refuses to install both",
    fix="write <name><allowed>, or remove the line: this server brings it along",
    section=MOVE,
)
RASA_BESIDE = Rule(
    "rasa-beside",
    "warning",
    "<written> is the engine: it pins its own versions of Sanic and others, and calls actions over the network",
    fix="give engine and actions a virtual environment each",
    section=MOVE,
    known=READ,
)
PYTHON_TOO_OLD = Rule(
    "python-too-old",
    "error",
    "it is for Python <version>, and this server needs 3.10 or later",
    fix="take Python 3.11, and install the actions' own packages again",
    section=MOVE,
)
BASE_IMAGE = Rule(
    "base-image",
    "warning",
    "the image is built on <image>, which brings rasa-sdk's own server",
    fix="write `FROM action-server`, the image of this project's Dockerfile (target `server`); /app/actions, user 1001 "
    "and `start --actions actions` are as they were",
    section=MOVE,
)
START_COMMAND = Rule(
    "start-command",
    "warning",
    "it starts rasa-sdk's server",
    fix="write `<command>`",
    section=MOVE,
)
START_FLAG = Rule(
    "start-flag",
    "error",
    "it starts rasa-sdk's server with <flag>, and neither server has that",
    fix="remove the flag<meant>; `action-server run --help` shows all there are",
    section=MOVE,
)
SERVER_OF_ITS_OWN = Rule(
    "server-of-its-own",
    "warning",
    "it builds a server out of `<module>`, which goes on running rasa-sdk's executor",
    fix="start `action-server run` instead; what the app added (routes, middlewares) belongs into a service of its own "
    "or into a lifespan of the package",
    section=MOVE,
)
SHARED_STATE = Rule(
    "shared-state",
    "warning",
    "`<function>` changes <names>, which all calls share, and two synchronous calls may run at once here",
    fix="hold a lock around it, keep it in a local variable or in slots, or start with --sync-workers 1: one at a "
    "time, as under rasa-sdk",
    section=MOVE,
)
LOOP_OF_THE_THREAD = Rule(
    "loop-of-the-thread",
    "warning",
    "`<function>` is synchronous and asks for an event loop with `<call>`; it runs on a thread here, which has none",
    fix="write `async def run` and await, or `services.blocking(coroutine)`",
    section=MOVE,
)
LONG_WAIT = Rule(
    "long-wait",
    "warning",
    "`<call>` waits <seconds> s: a call is cut after 30 s here unless it may take longer",
    fix="set `action_server: {timeout: ...}`, or `actions: {action_x: {timeout: ...}}` for one, to at most 300",
    section=MOVE,
)
VARIABLE_KEPT = Rule(
    "variable-kept",
    "note",
    "<variable> is read here as well",
    fix="nothing to do; `<setting>` is its own name here",
    section=MOVE,
)
ENDPOINT_KEPT = Rule(
    "endpoint-kept",
    "note",
    "the engine goes on calling the address in `action_endpoint`",
    fix="nothing to do if this server listens there; `action-server doctor` compares the two",
    section=MOVE,
)

RULES = rules_in(globals())
