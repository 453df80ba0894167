"""Who may call: every way an engine can show a credential, and everything that is none."""

from __future__ import annotations

import base64
import hmac
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML
from sanic.compat import Header

from action_server.errors import SettingsError, UnauthorizedError
from action_server.security.auth import Authenticator, AuthSettings, Identity, is_public
from tests.action_server.security.credentials import (
    EMOJI,
    EVERYTHING,
    KEY,
    MARK,
    NEW,
    OLD,
    PASSWORD,
    UMLAUTS,
    authenticator,
    basic,
    bearer,
    headers,
    refused,
    signed,
)


@pytest.fixture(scope="module")
def everything() -> Authenticator:
    """Takes credentials of all kinds."""
    return authenticator(**EVERYTHING)


VALID: list[tuple[str, list[tuple[str, str]], str, Identity]] = [
    ("the first token", [bearer(OLD)], "", Identity("token", "token #1")),
    ("the second token", [bearer(NEW)], "", Identity("token", "token #2")),
    ("bearer in lower case", [("authorization", f"bearer {NEW}")], "", Identity("token", "token #2")),
    ("bearer in upper case", [("AUTHORIZATION", f"BEARER {NEW}")], "", Identity("token", "token #2")),
    ("spaces around a token", [("Authorization", f" Bearer  {NEW} \t")], "", Identity("token", "token #2")),
    ("a token as parameter", [], f"access={OLD}", Identity("query token", "token #1")),
    ("a token among parameters", [], f"a=b&access={NEW}&c", Identity("query token", "token #2")),
    ("a token with %", [], "access=" + "".join(f"%{b:02x}" for b in NEW.encode()), Identity("query token", "token #2")),
    ("a name with %", [], f"%61ccess={NEW}", Identity("query token", "token #2")),
    ("a key of one's own", [("X-Api-Key", KEY)], "", Identity("header", "X-Api-Key #1")),
    ("a key in another case", [("x-API-key", KEY)], "", Identity("header", "X-Api-Key #1")),
    ("a key with umlauts", [("X-Api-Key", UMLAUTS)], "", Identity("header", "X-Api-Key #2")),
    ("a scheme of one's own", [("Authorization", f"Custom {KEY}")], "", Identity("header", "Authorization #1")),
    ("a user, a colon in the password", [basic("engine", PASSWORD)], "", Identity("basic", "engine")),
    ("a user's second password", [basic("engine", NEW)], "", Identity("basic", "engine")),
    ("a user in latin-1, as engines send it", [basic("jürgen", UMLAUTS)], "", Identity("basic", "jürgen")),
    ("a user in UTF-8, as curl sends it", [basic("jürgen", UMLAUTS, "utf-8")], "", Identity("basic", "jürgen")),
    ("a password latin-1 has not", [basic("emoji", EMOJI, "utf-8")], "", Identity("basic", "emoji")),
    ("a JWT", [bearer(signed())], "", Identity("jwt", "rasa")),
    (
        "a good one beside a bad one",
        [bearer(f"{MARK}-bad"), ("X-Api-Key", KEY)],
        "",
        Identity("header", "X-Api-Key #1"),
    ),
    (
        "a good parameter beside a bad header",
        [basic("engine", "x")],
        f"access={OLD}",
        Identity("query token", "token #1"),
    ),
]


@pytest.mark.parametrize(("sent", "query", "identity"), [v[1:] for v in VALID], ids=[v[0] for v in VALID])
def test_what_opens(everything: Authenticator, sent: list[tuple[str, str]], query: str, identity: Identity) -> None:
    """One valid credential suffices, and the identity tells which it was."""
    assert everything.check(headers(*sent), query) == identity
    # Sanic's own headers, whose names are lower-case.
    assert everything.check(Header((name.lower(), value) for name, value in sent), query) == identity


INVALID: list[tuple[str, list[tuple[str, str]], str]] = [
    ("nothing", [], ""),
    ("a wrong token", [bearer(f"{MARK}-wrong")], ""),
    ("a part of a token", [bearer(OLD[:-1])], ""),
    ("a token and more", [bearer(f"{OLD}x")], ""),
    ("a token in upper case", [bearer(OLD.upper())], ""),
    ("two tokens", [bearer(f"{OLD} {NEW}")], ""),
    ("a token with a tab before", [("Authorization", f"Bearer \t{OLD}")], ""),
    ("a list of tokens", [bearer(f"{OLD}, Bearer {OLD}")], ""),
    ("a token without its scheme", [("Authorization", OLD)], ""),
    ("a token with another scheme", [("Authorization", f"Token {OLD}")], ""),
    ("a scheme without a token", [("Authorization", "Bearer")], ""),
    ("an empty token", [("Authorization", "Bearer ")], ""),
    ("an empty header", [("Authorization", "")], ""),
    ("a token as basic", [("Authorization", f"Basic {OLD}")], ""),
    ("two headers", [bearer(OLD), bearer(OLD)], ""),
    ("two headers in two cases", [("authorization", f"Bearer {OLD}"), ("Authorization", "Bearer x")], ""),
    ("a token in another header", [("X-Authorization", f"Bearer {OLD}")], ""),
    ("a token as key", [("X-Api-Key", OLD)], ""),
    ("a key as token", [bearer(KEY)], ""),
    ("two keys", [("X-Api-Key", KEY), ("x-api-key", KEY)], ""),
    ("an empty key", [("X-Api-Key", "")], ""),
    ("a key under another name", [("X-Api-Key-2", KEY)], ""),
    ("a parameter under another name", [], f"token={OLD}"),
    ("a parameter in another case", [], f"Access={OLD}"),
    ("a parameter twice", [], f"access={OLD}&access={OLD}"),
    ("a parameter twice, once with %", [], f"access={OLD}&%61ccess=x"),
    ("an empty parameter", [], "access="),
    ("a parameter without value", [], "access"),
    ("a wrong parameter", [], f"access={OLD}x"),
    ("a parameter with a broken %", [], f"access={OLD}%"),
    ("a parameter that is not UTF-8", [], f"access={OLD}%fc"),
    ("a key as parameter", [], f"access={KEY}"),
    ("a JWT as parameter", [], f"access={signed()}"),
    ("a wrong password", [basic("engine", "x")], ""),
    ("another user's password", [basic("engine", UMLAUTS)], ""),
    ("no user", [basic("", PASSWORD)], ""),
    ("no password", [basic("engine", "")], ""),
    ("a user in another case", [basic("Engine", PASSWORD)], ""),
    ("a user without colon", [("Authorization", "Basic " + base64.b64encode(b"engine").decode())], ""),
    ("base64 that is none", [("Authorization", "Basic !!!!")], ""),
    ("base64 without its end", [("Authorization", basic("engine", PASSWORD)[1].rstrip("=")[:-1])], ""),
    ("base64 with letters outside", [("Authorization", "Basic ü" + basic("engine", PASSWORD)[1][6:])], ""),
    ("base64 with a space within", [("Authorization", basic("engine", PASSWORD)[1].replace("W", " W"))], ""),
    ("nothing in base64", [("Authorization", "Basic ")], ""),
    ("a user in the clear", [("Authorization", f"Basic engine:{PASSWORD}")], ""),
    ("a JWT with another secret", [bearer(signed("x" * 32))], ""),
    ("a JWT that has expired", [bearer(signed(exp=1))], ""),
    ("a JWT for others", [bearer(signed(aud="other"))], ""),
    ("a JWT as basic", [("Authorization", f"Basic {signed()}")], ""),
    ("a long token", [bearer("a" * 1_000_000)], ""),
    ("a long user", [("Authorization", "Basic " + "YQ" * 1_000_000)], ""),
    ("a long query", [], f"access={OLD}&" + "&" * 1_000_000),
    ("many headers", [("X-Api-Key", "a")] * 10_000, ""),
    ("many parameters", [], "access=a&" * 1_500),
    ("bytes that are not UTF-8", [bearer("\udcfc"), ("X-Api-Key", f"{KEY}\udcfc")], "access=\udcfc"),
    ("half a character", [bearer("\ud83d")], "access=\ud83d"),
]


@pytest.mark.parametrize(("sent", "query"), [i[1:] for i in INVALID], ids=[i[0] for i in INVALID])
def test_what_does_not_open(everything: Authenticator, sent: list[tuple[str, str]], query: str) -> None:
    """The answer is always the same, whatever was wrong, and holds nothing of what was sent."""
    error = refused(everything, sent, query)

    assert str(error) == str(refused(everything, []))
    assert error.headers == {"WWW-Authenticate": 'Bearer realm="action server", Basic realm="action server"'}
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert MARK not in shown
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("name", ["tokens", "headers", "basic", "jwt"])
def test_what_is_not_configured_does_not_open(name: str) -> None:
    """Each way alone: its own credentials open and those of the other ways do not."""
    methods = {"tokens": {"token", "query token"}, "headers": {"header"}, "basic": {"basic"}, "jwt": {"jwt"}}[name]
    alone = authenticator(**{name: EVERYTHING[name]})
    found = set()
    for _, sent, query, identity in VALID:
        try:
            found.add(alone.check(headers(*sent), query.replace("access", "token")).method)
        except UnauthorizedError:
            assert identity.method not in methods or len(sent) + bool(query) > 1 or "%61ccess" in query

    assert found == methods


CHALLENGES = [
    ({"tokens": OLD}, 'Bearer realm="action server"'),
    ({"jwt": EVERYTHING["jwt"]}, 'Bearer realm="action server"'),
    ({"basic": EVERYTHING["basic"]}, 'Basic realm="action server"'),
    ({"headers": {"X-Api-Key": KEY}}, 'ApiKey realm="action server"'),
]


@pytest.mark.parametrize(("settings", "challenge"), CHALLENGES, ids=["tokens", "jwt", "basic", "headers"])
def test_the_challenge_names_the_scheme(settings: dict[str, object], challenge: str) -> None:
    """RFC 9110: a 401 has one."""
    assert refused(authenticator(**settings), []).headers == {"WWW-Authenticate": challenge}


@given(
    st.lists(st.tuples(st.sampled_from(["Authorization", "X-Api-Key", "x-api-key"]), st.text()), max_size=3),
    st.text(),
    st.sampled_from(["", "Bearer ", "Basic ", "basic "]),
)
@example([("Authorization", "\ud800")], "access=%ff%", "Bearer ")
@example([("Authorization", "=" * 100)], "&=&;access=", "Basic ")
def test_no_text_opens_or_ends_in_another_error(
    everything: Authenticator, sent: list[tuple[str, str]], query: str, scheme: str
) -> None:
    """Whatever is sent: 401."""
    refused(everything, [(name, scheme + value) for name, value in sent], query)
    refused(everything, [], f"access={query}")


@given(st.binary(max_size=60))
def test_no_pair_opens_or_ends_in_another_error(everything: Authenticator, pair: bytes) -> None:
    """Bytes in good base64."""
    refused(everything, [("Authorization", "Basic " + base64.b64encode(pair).decode())])


@given(st.text(min_size=1, max_size=60))
@example("0\r")
@example("a+b %2b&c=d;e#?")
def test_any_secret_that_is_taken_opens(text: str) -> None:
    """As a token in a header and as a parameter, however a client encodes that."""
    try:
        checks = authenticator(tokens=[text])
    except ValidationError:
        return

    assert checks.check(headers(bearer(text))).method == "token"
    for encode in (quote, quote_plus):
        assert checks.check(headers(), f"token={encode(text, safe='')}").method == "query token"


@pytest.fixture
def compared() -> Iterator[list[bool]]:
    """What `hmac.compare_digest` was asked, and its answers."""
    answers = []
    real = hmac.compare_digest

    def counting(a: bytes, b: bytes) -> bool:
        assert len(a) == len(b) == 32
        answers.append(real(a, b))
        return answers[-1]

    with patch("hmac.compare_digest", counting):
        yield answers


SECRETS = [f"{MARK}-{number}" for number in range(7)]


@pytest.mark.parametrize("sent", [*SECRETS, "wrong", ""], ids=[*"1234567", "none", "empty"])
def test_all_secrets_are_compared_whichever_it_is(compared: list[bool], sent: str) -> None:
    """The time a check takes does not tell where the secret stands, nor how much of it is right."""
    several = authenticator(
        tokens=SECRETS,
        headers={"X-Api-Key": SECRETS},
        basic=[{"username": "engine", "password": SECRETS}],
    )
    for number, (credential, query) in enumerate(
        [(bearer(sent), ""), (("X-Api-Key", sent), ""), (basic("engine", sent), ""), (("X", ""), f"token={sent}")]
    ):
        compared.clear()
        try:
            several.check(headers(credential), query)
        except UnauthorizedError:
            assert sent not in SECRETS
        own = compared[-7:] if number in (1, 3) else compared[:7]
        assert own == [secret == sent for secret in SECRETS]


def test_a_secret_given_twice_opens() -> None:
    """The last of its names is shown; nobody is kept out by it."""
    assert authenticator(tokens=[OLD, OLD]).check(headers(bearer(OLD))) == Identity("token", "token #2")


def test_secrets_are_not_shown(everything: Authenticator) -> None:
    """Neither by the settings, nor by what was made of them, nor by an identity."""
    settings = AuthSettings.model_validate(EVERYTHING)
    shown = [settings, repr(settings), vars(settings), settings.model_dump(), settings.model_dump_json()]
    made = everything._credentials.get()
    shown += [everything, vars(everything), made, vars(made), [vars(known) for _, known in made._headers]]
    shown += [vars(made._tokens), vars(made._basic), vars(made._jwt)]
    shown += [everything.check(headers(*sent), query) for _, sent, query, _ in VALID]

    assert MARK not in str(shown)


BOTH = ("/ready", "/metrics")


@pytest.mark.parametrize("path", [*BOTH, "/ready/", "/health", "/health/"])
def test_an_open_path_needs_no_credential_and_knows_a_valid_one(path: str) -> None:
    """Probes have none. A wrong one opens no less than none."""
    checks = authenticator(tokens=OLD, open_paths=list(BOTH))

    assert checks.admit(path, headers()) is None
    assert checks.admit(path, headers(bearer("wrong"))) is None
    assert checks.admit(path, headers(bearer(OLD))) == Identity("token", "token #1")


@pytest.mark.parametrize(
    "path", ["/webhook", "/actions", "/ready//", "//ready", "/READY", "/ready/..", "/", "", "/metrics"]
)
def test_no_other_path_is_open(path: str) -> None:
    """Neither one that is written alike nor the one that was not named."""
    with pytest.raises(UnauthorizedError):
        authenticator(tokens=OLD, open_paths="/ready").admit(path, headers())


def test_a_monitors_token_opens_what_monitors_ask_for_and_no_call() -> None:
    """Who can read the scraper's configuration can call nothing."""
    checks = authenticator(tokens=OLD, monitor_tokens=[NEW, KEY])

    for path in BOTH:
        assert checks.admit(path, headers(bearer(KEY))) == Identity("monitor", "monitor #2")
        assert checks.admit(path, headers(bearer(OLD))) == Identity("token", "token #1")
    for path in ("/webhook", "/actions", "/ready/x"):
        with pytest.raises(UnauthorizedError):
            checks.admit(path, headers(bearer(KEY)))
    for sent in (headers(("Authorization", f"Basic {KEY}")), headers(bearer(KEY), bearer(KEY)), headers()):
        with pytest.raises(UnauthorizedError):
            checks.admit("/metrics", sent)
    refused(checks, [bearer(KEY)], f"token={KEY}")


def test_a_monitors_token_that_opens_calls_as_well_does_not_start(tmp_path: Path) -> None:
    """Whoever reads the scraper's settings could call every action; a file that gets such a token leaves what was."""
    with pytest.raises(SettingsError, match=r"auth\.monitor_tokens: has one of auth\.tokens") as refused:
        authenticator(tokens=[OLD, NEW], monitor_tokens=[KEY, NEW])
    assert NEW not in str(refused.value)

    in_file = tmp_path / "tokens"
    in_file.write_text(f"{KEY}\n")
    with pytest.raises(SettingsError):
        authenticator(tokens=[KEY], monitor_tokens={"file": in_file})


PAGE = Path(__file__).parents[3] / "docs" / "howto" / "authenticate.md"
BLOCKS = [
    YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
]
PAIRS = [block for block in BLOCKS if set(block) == {"action_endpoint", "action_server"}]


@pytest.mark.parametrize("pair", PAIRS, ids=[" ".join(pair["action_server"]["auth"]) for pair in PAIRS])
def test_what_the_page_shows_opens(pair: dict[str, dict[str, Any]]) -> None:
    """What an engine with the one half sends opens a server with the other."""
    engine, server = pair["action_endpoint"], pair["action_server"]
    sent = headers(*engine.get("headers", {}).items())
    if "basic_auth" in engine:
        sent.extend([basic(**engine["basic_auth"])])
    query = urlencode({engine.get("token_name", "token"): engine["token"]}) if "token" in engine else ""

    authenticator(**server["auth"]).check(sent, query)


def test_the_page_shows_every_way() -> None:
    """One that is added is shown."""
    shown = {name for block in BLOCKS for name in block.get("action_server", {}).get("auth", {})}

    assert shown == set(AuthSettings.model_fields) - {"token_name", "open_paths", "monitor_tokens"}


PUBLIC = ["0.0.0.0", "::", "[::]", "", "10.0.0.7", "192.168.1.1", "fe80::1%eth0", "example.com", "::ffff:10.0.0.1"]  # noqa: S104
LOCAL = ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LocalHost.", "app.localhost", "::ffff:127.0.0.1"]


@pytest.mark.parametrize(("host", "public"), [*((h, True) for h in PUBLIC), *((h, False) for h in LOCAL)])
def test_an_address_others_can_reach_is_public(host: str, public: bool) -> None:
    """A name is taken for one: it is not looked up."""
    assert is_public(host) is public
