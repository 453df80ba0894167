"""Credentials: what is sent, where secrets come from, and how tokens are asked for."""

from __future__ import annotations

import base64
from pathlib import Path

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from actions.errors import AuthFailedError
from tests.actions.transport.token_servers import SECRET, Holder, credentials, form, oauth, sent_tokens, token
from tests.actions.transport.transport_servers import OK, failing, remote, transport

pytest_plugins = ["tests.actions.transport.transport_fixtures"]
pytestmark = pytest.mark.usefixtures("no_waiting")


BASIC = f"Basic {base64.b64encode(f'jané:{SECRET}'.encode()).decode()}"
STATIC: list[tuple[dict[str, object], str, str | None]] = [
    ({"type": "none"}, "Authorization", None),
    ({"type": "basic", "user": "jané", "password": SECRET}, "Authorization", BASIC),
    ({"type": "bearer", "token": SECRET}, "Authorization", f"Bearer {SECRET}"),
    ({"type": "header", "name": "X-Api-Key", "value": SECRET}, "X-Api-Key", SECRET),
]


@pytest.mark.parametrize(("settings", "header", "text"), STATIC, ids=[str(s[0]["type"]) for s in STATIC])
async def test_credentials_are_sent(
    session: aiohttp.ClientSession, settings: dict[str, object], header: str, text: str | None
) -> None:
    """In the header that is theirs, and over one that the caller set."""
    async with remote() as server:
        crm = transport(session, server.url, credentials(session, **settings))
        await crm.request("GET", "x", headers={"authorization": "mine"} if header == "Authorization" and text else {})

    assert server.asked[0].headers.get(header) == text


async def test_a_secret_may_stand_in_a_file_and_change_there(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """It is read at the first request, and again when it was refused: nothing need be restarted."""
    file = tmp_path / "token"
    file.write_text("old\n")
    async with remote(OK, failing(401), OK, failing(401)) as server:
        crm = transport(session, server.url, credentials(session, type="bearer", token_file=file))
        await crm.request("GET", "x")
        file.write_text("new\r\n")
        await crm.request("POST", "x")
        with pytest.raises(AuthFailedError):
            await crm.request("POST", "x")

    assert sent_tokens(server) == ["old", "old", "new", "new"]


UNUSABLE = {
    "missing": "the file .*missing cannot be read: No such file or directory",
    "empty": "the token of these credentials is empty",
    "two lines": "holds a line break or another control character",
    "binary": "is not UTF-8 text",
    "umlaut": "holds characters that no header can carry",
    "no\0name": "no file can have this name",
}


@pytest.mark.parametrize("name", UNUSABLE)
async def test_a_secret_that_cannot_be_used_is_said_in_words(
    session: aiohttp.ClientSession, tmp_path: Path, name: str
) -> None:
    """Nothing is sent, and the text does not hold what was found."""
    for file, content in (("empty", b"\n"), ("two lines", b"a\nb"), ("binary", b"\xff\xfe"), ("umlaut", "ß".encode())):
        (tmp_path / file).write_bytes(content)
    async with remote() as server:
        crm = transport(session, server.url, credentials(session, type="bearer", token_file=tmp_path / name))
        with pytest.raises(AuthFailedError, match=UNUSABLE[name]):
            await crm.request("GET", "x")

    assert server.asked == []


BAD: list[dict[str, object]] = [
    {"type": "digest"},
    {"type": "basic", "user": "me"},
    {"type": "basic", "user": "me:you", "password": SECRET},
    {"type": "basic", "user": "me", "password": SECRET, "password_file": "f"},
    {"type": "bearer"},
    {"type": "header", "name": "X Y", "value": SECRET},
    {"type": "oauth_client_credentials", "token_url": "https://a/t", "client_id": "me"},
    {"type": "oauth_client_credentials", "token_url": "https://a/t", "client_id": "", "client_secret": SECRET},
    {"type": "oauth_client_credentials", "token_url": f"https://{SECRET}@a/t", "client_id": "m", "client_secret": "x"},
    {
        "type": "oauth_client_credentials",
        "token_url": "https://a/t",
        "client_id": "me",
        "client_secret": SECRET,
        "private_key": SECRET,
    },
    {"type": "jwt_bearer", "token_url": "https://a/t", "issuer": "me", "subject": "you"},
]


@pytest.mark.parametrize("settings", BAD, ids=[str(n) for n in range(len(BAD))])
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object]) -> None:
    """At start-up, without the values."""
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"credentials": settings})

    assert SECRET not in str(caught.value)


def test_settings_do_not_show_secrets() -> None:
    """In no line of a log."""
    for settings in (s[0] for s in STATIC):
        assert SECRET not in repr(Holder.model_validate({"credentials": settings}))


@pytest.mark.parametrize("way", ["basic", "body"])
async def test_a_token_is_fetched_with_a_secret(session: aiohttp.ClientSession, way: str) -> None:
    """In the header, form-encoded first as the RFC wants it, or in the form; with the scope."""
    async with remote(token()) as endpoint, remote() as server:
        proof = oauth(session, endpoint.url, client_id="a:b", client_secret="p&ß", client_auth=way, scope="a/*.read b")
        await transport(session, server.url, proof).request("GET", "x")

    asked = endpoint.asked[0]
    wanted = {"grant_type": "client_credentials", "scope": "a/*.read b"}
    if way == "basic":
        assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"a%3Ab:p%26%C3%9F"
    else:
        assert "Authorization" not in asked.headers
        wanted |= {"client_id": "a:b", "client_secret": "p&ß"}
    assert (asked.method, asked.target, form(asked)) == ("POST", "/token", wanted)
    assert sent_tokens(server) == ["token-1"]


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    lock: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


@pytest.mark.parametrize(("algorithm", "key"), [("RS384", RSA), ("ES384", EC)])
async def test_a_token_is_fetched_with_a_key(
    session: aiohttp.ClientSession,
    tmp_path: Path,
    algorithm: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    """SMART Backend Services: an assertion for the token URL, good for at most five minutes, another one each try."""
    (tmp_path / "key.pem").write_text(pem(key))
    async with remote(failing(502), token()) as endpoint, remote() as server:
        proof = oauth(
            session,
            endpoint.url,
            client_secret=None,
            private_key_file=tmp_path / "key.pem",
            algorithm=algorithm,
            key_id="key-1",
            scope="system/*.rs",
        )
        await transport(session, server.url, proof).request("GET", "x")

    claims = []
    for asked in endpoint.asked:
        sent = form(asked)
        assertion = sent.pop("client_assertion")
        assert sent == {
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        header = jwt.get_unverified_header(assertion)
        assert (header["alg"], header["kid"], header["typ"]) == (algorithm, "key-1", "JWT")
        audience = f"{endpoint.url}/token"
        claims.append(jwt.decode(assertion, key.public_key(), algorithms=[algorithm], audience=audience))
    assert [(claim["iss"], claim["sub"]) for claim in claims] == [("me", "me")] * 2
    assert all(0 < claim["exp"] - claim["iat"] <= 300 for claim in claims)
    assert claims[0]["jti"] != claims[1]["jti"]
    assert sent_tokens(server) == ["token-1"]


async def test_a_token_is_fetched_for_a_user(session: aiohttp.ClientSession) -> None:
    """Salesforce's connected apps: the assertion itself is the grant, and good for less than its three minutes."""
    async with remote(token()) as endpoint, remote() as server:
        proof = credentials(
            session,
            type="jwt_bearer",
            token_url=f"{endpoint.url}/token",
            issuer="app",
            subject="jane@example.org",
            audience="https://login.salesforce.com",
            private_key=pem(RSA),
        )
        await transport(session, server.url, proof).request("GET", "x")

    sent = form(endpoint.asked[0])
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        sent["assertion"], RSA.public_key(), algorithms=["RS256"], audience="https://login.salesforce.com"
    )
    assert (claims["iss"], claims["sub"]) == ("app", "jane@example.org")
    assert claims["exp"] - claims["iat"] < 180


@pytest.mark.parametrize("key", ["junk", pem(EC), pem(RSA, b"locked"), f"{SECRET}\n{SECRET}"])
async def test_a_key_that_cannot_be_used_is_said_in_words(session: aiohttp.ClientSession, key: str) -> None:
    """Not PEM, another kind, locked."""
    async with remote() as endpoint:
        proof = oauth(session, endpoint.url, client_secret=None, private_key=key, algorithm="RS384")
        with pytest.raises(AuthFailedError, match="is not a private key in PEM without a password that fits RS384"):
            await transport(session, "https://crm.invalid", proof).request("GET", "x")

    assert endpoint.asked == []
