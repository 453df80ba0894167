"""JSON Web Tokens: what opens, what does not, and which keys a server starts with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import ValidationError

from action_server.errors import SettingsError
from action_server.security.auth import JwtSettings
from action_server.security.jwt import Verifier

SECRET = "a-secret-of-at-least-thirty-two-bytes"
NEW_SECRET = "another-secret-of-thirty-two-bytes-and-more"
ISSUER = "https://id.example.com/"
AUDIENCE = "action-server"

# Made once: RSA keys take a while.
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_RSA_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is refused
EC_KEY = ec.generate_private_key(ec.SECP256R1())
LONG_EC_KEY = ec.generate_private_key(ec.SECP384R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def public(key: PrivateKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def private(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def jwk(key: PrivateKey, **more: object) -> dict[str, Any]:
    kinds: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    algorithm = next(algorithm for kind, algorithm in kinds.items() if isinstance(key, kind))
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **more}


def claims(**changes: object) -> dict[str, Any]:
    """The claims of a good token; None takes one away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "rasa", "iat": now, "exp": now + 60, **changes}
    return {name: value for name, value in good.items() if value is not None}


def verifier(**settings: object) -> Verifier:
    read = JwtSettings.model_validate(settings)
    return Verifier(read.keys(), issuer=read.issuer, audience=read.audience, leeway=read.leeway)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def by_hand(header: Mapping[str, object], content: Mapping[str, object], key: bytes = SECRET.encode()) -> str:
    """A token PyJWT would not make."""
    signed = f"{part(header)}.{part(content)}"
    signature = hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.fixture(scope="module")
def shared() -> Verifier:
    """Takes tokens signed with a shared secret."""
    return verifier(algorithms="HS256", secret=[SECRET, NEW_SECRET], issuer=ISSUER, audience=AUDIENCE)


def test_a_good_token_tells_its_subject(shared: Verifier) -> None:
    """With the secret of yesterday as with that of today."""
    assert shared.subject(jwt.encode(claims(), SECRET, "HS256")) == "rasa"
    assert shared.subject(jwt.encode(claims(), NEW_SECRET, "HS256")) == "rasa"


NOW = int(time.time())
# In the tests below these are read relative to the time they run at; the suite takes less than an hour.
GOOD: list[tuple[str, dict[str, object], str]] = [
    ("no subject", {"sub": None}, "jwt"),
    ("several audiences", {"aud": ["other", AUDIENCE]}, "rasa"),
    ("a time to begin at", {"nbf": NOW - 5}, "rasa"),
    ("no time of issue", {"iat": None}, "rasa"),
    ("claims of its own", {"role": "engine"}, "rasa"),
    ("a subject no log should have", {"sub": "a\nb\x1b[31m" + "c" * 200}, "a?b?[31m" + "c" * 92),
]


@pytest.mark.parametrize(("changes", "subject"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_a_token_may_have(shared: Verifier, changes: dict[str, object], subject: str) -> None:
    """What RFC 7519 leaves open."""
    assert shared.subject(jwt.encode(claims(**changes), SECRET, "HS256")) == subject


BAD: list[tuple[str, dict[str, object]]] = [
    ("has expired", {"exp": NOW - 3600}),
    ("expires in words", {"exp": "tomorrow"}),
    ("expires at no number", {"exp": float("nan")}),
    ("never expires", {"exp": None}),
    ("does not expire before infinity", {"exp": float("inf")}),
    ("is not valid yet", {"nbf": NOW + 3600}),
    ("was issued tomorrow", {"iat": NOW + 86400}),
    ("is of another issuer", {"iss": ISSUER.rstrip("/")}),
    ("is of nobody", {"iss": None}),
    ("is for others", {"aud": "billing"}),
    ("is for nobody", {"aud": None}),
    ("is for an empty list", {"aud": []}),
    ("is for no text", {"aud": [AUDIENCE, 7]}),
    ("is about a number", {"sub": 7}),
]


@pytest.mark.parametrize("changes", [b[1] for b in BAD], ids=[b[0] for b in BAD])
def test_a_token_is_refused_that(shared: Verifier, changes: dict[str, object]) -> None:
    """Signed rightly, all of them."""
    assert shared.subject(by_hand({"alg": "HS256", "typ": "JWT"}, claims(**changes))) is None


def test_leeway_forgives_clocks() -> None:
    """And no more than that."""
    tolerant = verifier(algorithms="HS256", secret=SECRET, audience=AUDIENCE, leeway="30")
    now = int(time.time())

    assert tolerant.subject(jwt.encode(claims(exp=now - 10), SECRET, "HS256")) == "rasa"
    assert tolerant.subject(jwt.encode(claims(exp=now - 60), SECRET, "HS256")) is None


def test_without_an_audience_only_tokens_for_nobody_in_particular_open() -> None:
    """What an issuer signed for another service is not for this one."""
    open_to_all = verifier(algorithms="HS256", secret=SECRET)

    assert open_to_all.subject(jwt.encode(claims(aud=None, iss=None), SECRET, "HS256")) == "rasa"
    assert open_to_all.subject(jwt.encode(claims(), SECRET, "HS256")) is None


FORGED: list[tuple[str, Callable[[], str]]] = [
    ("another secret", lambda: by_hand({"alg": "HS256"}, claims(), NEW_SECRET.upper().encode())),
    ("no secret", lambda: by_hand({"alg": "HS256"}, claims(), b"")),
    ("no signature", lambda: by_hand({"alg": "HS256"}, claims()).rpartition(".")[0] + "."),
    ("two parts", lambda: by_hand({"alg": "HS256"}, claims()).rpartition(".")[0]),
    ("alg none", lambda: f"{part({'alg': 'none'})}.{part(claims())}."),
    ("alg None", lambda: by_hand({"alg": "None"}, claims())),
    ("alg null", lambda: by_hand({"alg": None}, claims())),
    ("alg a list", lambda: by_hand({"alg": ["HS256"]}, claims())),
    ("no alg", lambda: by_hand({}, claims())),
    ("an alg that is not allowed", lambda: jwt.encode(claims(), SECRET * 2, "HS512")),
    ("an extension nobody knows", lambda: by_hand({"alg": "HS256", "crit": ["x"], "x": 1}, claims())),
    ("a payload elsewhere", lambda: by_hand({"alg": "HS256", "crit": ["b64"], "b64": False}, claims())),
    ("a key id that is a number", lambda: by_hand({"alg": "HS256", "kid": 1}, claims())),
    ("another payload", lambda: _swapped(by_hand({"alg": "HS256"}, claims()))),
    ("a list of claims", lambda: by_hand({"alg": "HS256"}, [claims()])),  # type: ignore[arg-type]
    ("a deep header", lambda: base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30.e30"),
    ("a long number", lambda: base64.urlsafe_b64encode(b"9" * 9000).decode() + ".e30.e30"),
    ("nothing", lambda: ""),
    ("dots", lambda: ".."),
]


def _swapped(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{part(claims(sub='admin'))}.{signature}"


@pytest.mark.parametrize("forge", [f[1] for f in FORGED], ids=[f[0] for f in FORGED])
def test_a_forged_token_is_refused(shared: Verifier, forge: Callable[[], str]) -> None:
    """However it was made."""
    assert shared.subject(forge()) is None


@given(st.one_of(st.text(), st.lists(st.text(alphabet="eyJ0-_=", max_size=40), max_size=4).map(".".join)))
def test_no_text_is_taken_for_a_token_or_ends_in_an_error(shared: Verifier, text: str) -> None:
    """Whatever PyJWT trips over."""
    assert shared.subject(text) is None


def test_a_public_key_in_pem_opens(tmp_path: Path) -> None:
    """Two of them in one file, while one is being replaced."""
    file = tmp_path / "keys.pem"
    file.write_bytes(b"# ours\n" + public(RSA_KEY) + b"\n" + public(OTHER_RSA_KEY))
    both = verifier(algorithms=["RS256", "PS384"], public_key_file=file, audience=AUDIENCE)

    assert both.subject(jwt.encode(claims(), RSA_KEY, "RS256")) == "rasa"
    assert both.subject(jwt.encode(claims(), OTHER_RSA_KEY, "PS384")) == "rasa"
    assert both.subject(jwt.encode(claims(), OTHER_RSA_KEY, "RS256", {"kid": "any"})) == "rasa"
    assert both.subject(jwt.encode(claims(), RSA_KEY, "RS512")) is None


def test_the_public_key_is_no_secret(tmp_path: Path) -> None:
    """The confusion of RFC 8725, 2.1: signed with HS256, and everybody's key as the secret."""
    file = tmp_path / "key.pem"
    file.write_bytes(public(RSA_KEY))
    opened = verifier(algorithms="RS256", public_key_file=file, audience=AUDIENCE)

    for key in (public(RSA_KEY), public(RSA_KEY).strip()):
        for algorithm in ("HS256", "RS256"):
            assert opened.subject(by_hand({"alg": algorithm}, claims(), key)) is None


@pytest.mark.parametrize(
    ("key", "algorithm"), [(EC_KEY, "ES256"), (LONG_EC_KEY, "ES384"), (ED_KEY, "EdDSA")], ids=["P-256", "P-384", "Ed"]
)
def test_curves_open(tmp_path: Path, key: PrivateKey, algorithm: str) -> None:
    """Each with its own algorithm."""
    file = tmp_path / "key.pem"
    file.write_bytes(public(key))
    opened = verifier(algorithms=algorithm, public_key_file=file, audience=AUDIENCE)

    assert opened.subject(jwt.encode(claims(), key, algorithm)) == "rasa"
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256")) is None


@pytest.fixture
def key_set(tmp_path: Path) -> Callable[..., Verifier]:
    """Makes a verifier from the keys of a set."""

    def make(*keys: object, algorithms: object = ("RS256", "ES256")) -> Verifier:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps({"keys": keys}))
        return verifier(algorithms=algorithms, jwks_file=file, audience=AUDIENCE)

    return make


def test_the_key_of_a_set_is_chosen_by_its_id(key_set: Callable[..., Verifier]) -> None:
    """No other key of the set will do."""
    opened = key_set(jwk(RSA_KEY, kid="old"), jwk(OTHER_RSA_KEY, kid="new"), jwk(EC_KEY, kid="curve"))

    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "old"})) == "rasa"
    assert opened.subject(jwt.encode(claims(), OTHER_RSA_KEY, "RS256", {"kid": "new"})) == "rasa"
    assert opened.subject(jwt.encode(claims(), EC_KEY, "ES256", {"kid": "curve"})) == "rasa"
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "new"})) is None
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "unknown"})) is None
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "curve"})) is None
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256")) is None


def test_a_set_of_one_key_needs_no_id(key_set: Callable[..., Verifier]) -> None:
    """There is nothing to choose; an id that is there counts all the same."""
    opened = key_set(jwk(RSA_KEY, kid="only"))

    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256")) == "rasa"
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "other"})) is None


def test_what_a_set_says_of_a_key_is_kept_to(key_set: Callable[..., Verifier]) -> None:
    """Keys for encryption do not verify, `alg` binds, and unknown kinds are passed over."""
    opened = key_set(
        jwk(RSA_KEY, kid="encrypts", use="enc"),
        jwk(RSA_KEY, kid="wraps", key_ops=["wrapKey"]),
        jwk(RSA_KEY, kid="bound", alg="PS256", use="sig", key_ops=["verify"]),
        {"kty": "quantum", "kid": "unknown"},
        algorithms=["RS256", "PS256"],
    )

    assert opened.subject(jwt.encode(claims(), RSA_KEY, "PS256", {"kid": "bound"})) == "rasa"
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "bound"})) is None
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "encrypts"})) is None
    assert opened.subject(jwt.encode(claims(), RSA_KEY, "RS256", {"kid": "wraps"})) is None


RSA_PEM = public(RSA_KEY)
BAD_KEYS: list[tuple[str, dict[str, object], bytes | None, str]] = [
    ("no file", {"public_key_file": "f"}, None, "cannot be read: No such file"),
    ("no set", {"jwks_file": "f"}, None, "cannot be read: No such file"),
    ("an empty file", {"public_key_file": "f"}, b"", "has no key for RS256"),
    ("a private key", {"public_key_file": "f"}, private(RSA_KEY), "holds a private key"),
    ("a broken key", {"public_key_file": "f"}, RSA_PEM.replace(b"MIIB", b"AAAA"), "cannot be read"),
    ("a key of another kind", {"public_key_file": "f"}, public(EC_KEY), "has no key for RS256"),
    ("a key of another curve", {"public_key_file": "f", "algorithms": "ES256"}, public(LONG_EC_KEY), "for ES256"),
    ("a weak key", {"public_key_file": "f"}, public(WEAK_RSA_KEY), "RSA keys need 2048 bits"),
    ("a set that is not JSON", {"jwks_file": "f"}, b"{", "is not a JSON Web Key Set"),
    ("a set that is a list", {"jwks_file": "f"}, b"[]", "is not a JSON Web Key Set"),
    ("a set without keys", {"jwks_file": "f"}, b"{}", "is not a JSON Web Key Set"),
    ("a set of texts", {"jwks_file": "f"}, b'{"keys": ["x"]}', "is not a JSON Web Key Set"),
    ("a set that is not text", {"jwks_file": "f"}, b"\xff\xfe\xff", "is not a JSON Web Key Set"),
    ("a deep set", {"jwks_file": "f"}, b'{"keys": ' + b"[" * 100_000, "is not a JSON Web Key Set"),
    ("an empty set", {"jwks_file": "f"}, b'{"keys": []}', "has no key for RS256"),
    ("a broken key in a set", {"jwks_file": "f"}, b'{"keys": [{"kty": "RSA"}]}', "has no key for RS256"),
    (
        "a secret in a set",
        {"jwks_file": "f"},
        b'{"keys": [{"kty": "oct", "k": "U2Nobml0emVs"}]}',
        "holds a private or secret key",
    ),
    (
        "a private key in a set",
        {"jwks_file": "f"},
        json.dumps({"keys": [RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True)]}).encode(),
        "holds a private or secret key",
    ),
    ("a short secret", {"secret": "Schnitzel", "algorithms": "HS256"}, None, "shorter than 32 bytes"),
    ("a secret too short for one", {"secret": SECRET, "algorithms": ["HS256", "HS512"]}, None, "shorter than 64 bytes"),
    (
        "a public key as secret",
        {"secret": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAISchnitzel", "algorithms": "HS256"},
        None,
        "is a public key",
    ),
]


@pytest.mark.parametrize(("settings", "content", "problem"), [b[1:] for b in BAD_KEYS], ids=[b[0] for b in BAD_KEYS])
def test_keys_are_refused_at_the_start(
    tmp_path: Path, settings: dict[str, object], content: bytes | None, problem: str
) -> None:
    """The setting is named, and nothing of a key is shown."""
    file = tmp_path / "f"
    if content is not None:
        file.write_bytes(content)
    settings = {name: str(file) if value == "f" else value for name, value in settings.items()}

    with pytest.raises(SettingsError) as error:
        JwtSettings.model_validate({"algorithms": "RS256", **settings}).keys()

    assert error.value.where == f"auth.jwt.{next(name for name in settings if name != 'algorithms')}"
    assert problem in str(error.value)
    assert "Schnitzel" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("no algorithm", {"secret": SECRET}, "Field required"),
    ("an empty list of algorithms", {"algorithms": [], "secret": SECRET}, "at least 1 item"),
    ("none", {"algorithms": "none", "secret": SECRET}, "Input should be 'HS256'"),
    ("none beside another", {"algorithms": ["HS256", "none"], "secret": SECRET}, "Input should be 'HS256'"),
    ("lower case", {"algorithms": "hs256", "secret": SECRET}, "Input should be 'HS256'"),
    ("no key", {"algorithms": "HS256"}, "needs one of secret, public_key_file and jwks_file"),
    ("two keys", {"algorithms": "HS256", "secret": SECRET, "jwks_file": "x"}, "needs one of"),
    ("a secret for RS256", {"algorithms": "RS256", "secret": SECRET}, "HS... algorithms go with secret"),
    ("a public key for HS256", {"algorithms": "HS256", "public_key_file": "x"}, "HS... algorithms go with secret"),
    ("a set for HS256 as well", {"algorithms": ["RS256", "HS256"], "jwks_file": "x"}, "HS... algorithms go with"),
    ("an empty secret", {"algorithms": "HS256", "secret": ""}, "is empty"),
    ("an empty issuer", {"algorithms": "HS256", "secret": SECRET, "issuer": ""}, "at least 1 character"),
    ("an issuer of nothing", {"algorithms": "HS256", "secret": SECRET, "issuer": None}, "is empty"),
    ("an audience of nothing", {"algorithms": "HS256", "secret": SECRET, "audience": None}, "is empty"),
    ("no audiences", {"algorithms": "HS256", "secret": SECRET, "audience": []}, "at least 1 item"),
    ("an hour of leeway", {"algorithms": "HS256", "secret": SECRET, "leeway": 3600}, "less than or equal to 300"),
    ("what there is not", {"algorithms": "HS256", "secret": SECRET, "verify": False}, "Extra inputs"),
]


@pytest.mark.parametrize(("settings", "problem"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_settings_are_refused(settings: dict[str, object], problem: str) -> None:
    """A setting that would leave a door open does not start."""
    with pytest.raises(ValidationError, match=problem) as error:
        JwtSettings.model_validate(settings)

    assert SECRET not in str(error.value)


def test_keys_are_not_shown() -> None:
    """A secret stays in the key."""
    keys = JwtSettings.model_validate({"algorithms": "HS256", "secret": SECRET}).keys()

    assert SECRET not in f"{keys} {keys[0]} {keys[0]!r}"
