"""The rules about this server: its settings, its package, and what answers where it should run."""

from __future__ import annotations

from action_server.findings.rule import READ, Rule, rules_in

SETTINGS, RUNNING = "settings", "running"

PUBLIC_WITHOUT_AUTH = Rule(
    "public-without-auth",
    "warning",
    "other machines are meant to reach the server, and everybody there may call it",
    fix="set `action_server: auth:`, see `action-server help authenticate`, or --host 127.0.0.1",
    section=SETTINGS,
)
TIMEOUT_ENGINE = Rule(
    "timeout-engine",
    "warning",
    "the time limit of <what> is <seconds> s: engines give up after 300 s, and the action runs on for nobody",
    fix="set a lower timeout",
    section=SETTINGS,
    known=READ,
)
TIMEOUT_LOCK = Rule(
    "timeout-lock",
    "warning",
    "the time limit of <what> is <seconds> s: the engine's lock of a conversation lives 60 s, then messages overtake",
    fix="set a timeout of at most 60 s",
    section=SETTINGS,
    known=READ,
)
TIMEOUT_TOOL = Rule(
    "timeout-tool",
    "warning",
    "a tool may take <seconds> s, and the engine gives it <patience> s: its flow fails while the action runs on",
    fix="set `mcp: timeout`, or the tool's own, below that, or answer later; `tool_timeout` counts in sub agents only",
    section=SETTINGS,
    known=READ,
)
QUEUE_TIMEOUT = Rule(
    "queue-timeout",
    "warning",
    "calls may wait longer for their turn than they may take: they time out before they are refused",
    fix="set queue_timeout below timeout",
    section=SETTINGS,
)
GRACE_KUBERNETES = Rule(
    "grace-kubernetes",
    "note",
    "a stop may take <stop>, longer than the 30 s after which Kubernetes kills a container",
    fix="set terminationGracePeriodSeconds of the pod 10 s above their sum",
    section=SETTINGS,
)
REQUEST_SIZE = Rule(
    "request-size",
    "note",
    "a long conversation makes requests of several MB, and larger ones than this limit are refused",
    fix="set max_request_bytes to 5000000 at least",
    section=SETTINGS,
)
TRACING_TYPE = Rule(
    "tracing-type",
    "warning",
    "the `type` is not one rasa-sdk knows (jaeger, otlp): nothing is traced",
    fix="write `type: otlp`",
    section=SETTINGS,
)
TRACING_ENDPOINT = Rule(
    "tracing-endpoint",
    "error",
    "`type: otlp` needs an `endpoint`: with rasa-sdk's tracing the server does not start",
    fix="add `endpoint: localhost:4317`",
    section=SETTINGS,
)
SDK_VERSION = Rule(
    "sdk-version",
    "warning",
    "rasa-sdk <version> is installed; this server is tested with 3.21",
    fix="install rasa-sdk 3.21",
    section=SETTINGS,
)
ACTIONS_IMPORT = Rule(
    "actions-import",
    "error",
    "<problem>",
    fix="repair the line; `action-server list` says more",
    section=SETTINGS,
)
SERVICES_FAIL = Rule(
    "services-fail",
    "error",
    "<problem>",
    fix="start or repair the service, or correct its settings in `action_server: services:`",
    section=SETTINGS,
)
SETTING_UNREAD = Rule(
    "setting-unread",
    "warning",
    "no service of the actions reads the setting <setting><hint>",
    fix="correct its name, or remove it",
    section=SETTINGS,
)
UNREACHABLE = Rule(
    "unreachable",
    "error",
    "no action server answers: <reason>",
    fix="start the server, or correct the url",
    section=RUNNING,
)
NOT_READY = Rule(
    "not-ready",
    "error",
    "the running server says: <reason>",
    fix="wait until it has started, or repair the service it names",
    section=RUNNING,
)
SERVER_REFUSES = Rule(
    "server-refuses",
    "error",
    "the running server refuses what the engine sends",
    fix="compare the engine's credentials with the `auth:` settings of the running server",
    section=RUNNING,
)
ENGINE_UNREACHABLE = Rule(
    "engine-unreachable",
    "warning",
    "the engine does not tell its version: <reason>",
    fix="correct --engine, the address of the engine's HTTP API, or leave it out",
    section=RUNNING,
)
ENGINE_VERSION = Rule(
    "engine-version",
    "warning",
    "the engine is of a version that this server is not tested with (3.6 to 3.21)",
    fix="look for a newer action server, or try every action",
    section=RUNNING,
)
CLOCK_SKEW = Rule(
    "clock-skew",
    "warning",
    "its clock and the one here are <seconds> s apart: JSON Web Tokens are refused, and reminders come at wrong times",
    fix="have both machines set their clocks by NTP",
    section=RUNNING,
)

RULES = rules_in(globals())
