"""The rules about Rasa's ``action_endpoint``. Facts without a source are those of docs/decisions.md."""

from __future__ import annotations

from action_server.findings.rule import READ, RUN, Rule, rules_in

ENDPOINT = "action_endpoint"

ENDPOINT_MISSING = Rule(
    "endpoint-missing",
    "error",
    "there is no `action_endpoint` with a `url` or an `actions_module`: the engine has no action server to call",
    fix='add `action_endpoint:` with `url: "http://localhost:5055/webhook"`',
    section=ENDPOINT,
    known=READ,
)
ENDPOINT_SHAPE = Rule(
    "endpoint-shape",
    "error",
    "must be <kind>; with anything else the engine fails at start or in every call",
    fix="write it as <kind>; put numbers and words like true in quotes where text is needed",
    section=ENDPOINT,
    known=READ,
)
VARIABLE_UNSET = Rule(
    "variable-unset",
    "warning",
    "the variable <name> is not set here; the engine does not start where it is not set",
    fix="set it in the environment of the engine, and here for this check",
    section=ENDPOINT,
    known=READ,
)
URL_SCHEME = Rule(
    "url-scheme",
    "error",
    "the engine calls urls that start with http://, https:// or grpc:// and no others",
    fix="write the url with its scheme, as in http://localhost:5055/webhook",
    section=ENDPOINT,
    known=READ,
)
URL_HOST = Rule(
    "url-host",
    "error",
    "the url has no host, or a port that is not a number from 1 to 65535",
    fix="write the url as scheme://host:port/webhook",
    section=ENDPOINT,
)
URL_PATH = Rule(
    "url-path",
    "error",
    "the path is not /webhook: the engine calls the url exactly as it stands, and gets a 404",
    fix="end the url with /webhook",
    section=ENDPOINT,
    known=RUN,
)
URL_PREFIX = Rule(
    "url-prefix",
    "warning",
    "there is something before /webhook in the path, which this server does not know",
    fix="have the proxy in front of the server remove it, or write the url without it",
    section=ENDPOINT,
)
URL_ANY_HOST = Rule(
    "url-any-host",
    "warning",
    "0.0.0.0 and :: are for listening; as a destination they mean this machine at best, and never another container",
    fix="write localhost, or the name of the action server's host or service",
    section=ENDPOINT,
)
URL_PORT = Rule(
    "url-port",
    "warning",
    "the port is not <port>, on which this server listens",
    fix="make the two the same, unless a proxy or a container maps them (doctor takes the flags of run)",
    section=ENDPOINT,
)
GRPC_HEADER_CASE = Rule(
    "grpc-header-case",
    "error",
    "gRPC takes lower-case names of headers only: every call ends in the engine with an error",
    fix="write the name in lower case; this server does not distinguish",
    section=ENDPOINT,
    known=READ,
)
GRPC_UNSENT = Rule(
    "grpc-unsent",
    "warning",
    "over gRPC the engine does not send it",
    fix="send a header instead: `headers:` with `authorization: Bearer ...`",
    section=ENDPOINT,
    known=READ,
)
URL_AND_MODULE = Rule(
    "url-and-module",
    "warning",
    "`actions_module` wins over `url`: the engine runs the actions itself and does not call this server",
    fix="remove one of the two",
    section=ENDPOINT,
    known=READ,
)
MODULE_ONLY = Rule(
    "module-only",
    "note",
    "the engine runs the actions itself and does not call this server; the package's services are not opened there",
    fix="set `url` instead of `actions_module` for actions that need services",
    section=ENDPOINT,
    known=READ,
)
AUTH_REFUSED = Rule(
    "auth-refused",
    "error",
    "what the engine sends does not open the server's `auth:` settings",
    fix="compare the kind of credential, the names (`token_name`, headers) and the secret with `action_server: auth:`",
    section=ENDPOINT,
)
AUTH_NOT_SENT = Rule(
    "auth-not-sent",
    "error",
    "this server needs a credential, and the engine sends none",
    fix="set `headers`, `basic_auth` or `token` of `action_endpoint`",
    section=ENDPOINT,
)
AUTH_NOT_ASKED = Rule(
    "auth-not-asked",
    "warning",
    "the engine sends a credential, and this server is open to all",
    fix="set `action_server: auth:`, see `action-server help authenticate`",
    section=ENDPOINT,
)
AUTH_TWICE = Rule(
    "auth-twice",
    "error",
    "basic authentication and an Authorization header exclude each other: every call ends in the engine with an error",
    fix="remove one of the two",
    section=ENDPOINT,
    known=READ,
)
BASIC_AUTH = Rule(
    "basic-auth",
    "error",
    "needs `username` and `password` in latin-1 characters, and no colon in the name: otherwise every call fails",
    fix="choose other ones, or a token in a header",
    section=ENDPOINT,
    known=READ,
)
HEADER_VALUE = Rule(
    "header-value",
    "error",
    "it is not text, or has a character that <transport> cannot send in a header: every call fails in the engine",
    fix="write printable characters, and put numbers in quotes",
    section=ENDPOINT,
    known=READ,
)
HEADER_ENCODING = Rule(
    "header-encoding",
    "warning",
    "the value is not ASCII: the engine sends UTF-8, which proxies may read as latin-1 or refuse",
    fix="use ASCII characters",
    section=ENDPOINT,
    known=READ,
)
TOKEN_IN_THE_CLEAR = Rule(
    "token-in-the-clear",
    "warning",
    "a credential stands in the url of every request, over plain HTTP to another host: proxies log urls",
    fix="send it in a header, and use https://",
    section=ENDPOINT,
    known=READ,
)
SELECTIVE_DOMAIN = Rule(
    "selective-domain",
    "note",
    "Rasa Open Source takes a 449 for a failure, so that it is not asked for the domain: "
    "actions that need it go without",
    fix="with Rasa Open Source list these actions with `send_domain: true`, or remove the line",
    section=ENDPOINT,
    known=RUN,
)

RULES = rules_in(globals())
