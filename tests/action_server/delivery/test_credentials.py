"""What is shown to an engine: a token, or one that is signed for each request, by a secret or by a private key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from action_server.delivery.credentials import Credentials
from action_server.errors import SettingsError
from action_server.jobs.engine_settings import EngineSettings

SECRET = "a-secret-of-thirty-two-characters-and-of-thirty-two-more-for-512"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
PLAIN, LOCKED = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"x")
RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what has to be refused
P256, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def credentials(**settings: Any) -> Credentials:
    return Credentials(EngineSettings(engine="http://localhost:5005", **settings), "calm")


def key_file(folder: Path, content: bytes) -> Path:
    (folder / "key.pem").write_bytes(content)
    return folder / "key.pem"


def private(key: Any) -> bytes:
    found: bytes = key.private_bytes(PEM, PKCS8, PLAIN)
    return found


def public(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(PEM, PUBLIC)
    return found


def check(shown: Credentials, key: Any, method: str) -> None:
    token = shown.show().headers["Authorization"].removeprefix("Bearer ")
    payload = jwt.decode(token, key, algorithms=[method])
    assert payload["user"] == {"username": "action-server", "role": "admin"}
    assert payload["exp"] > 0


@pytest.mark.parametrize("method", ["HS256", "HS384", "HS512"])
def test_a_shared_secret_signs(method: str) -> None:
    """As `--jwt-secret` is."""
    check(credentials(jwt_secret=SECRET, jwt_method=method), SECRET, method)


@pytest.mark.parametrize(
    ("key", "method"),
    [*((RSA, f"{kind}{size}") for kind in ("RS", "PS") for size in (256, 384, 512)), (P256, "ES256"), (ED, "EdDSA")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_private_key_signs(tmp_path: Path, key: Any, method: str) -> None:
    """The engine has the public one."""
    shown = credentials(jwt_private_key=key_file(tmp_path, private(key)), jwt_method=method)
    check(shown, public(key), method)


def test_a_key_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    """The next request is signed with the new one."""
    file = key_file(tmp_path, private(RSA))
    shown = credentials(jwt_private_key=file, jwt_method="RS256")
    check(shown, public(RSA), "RS256")
    other = rsa.generate_private_key(65537, 2048)
    file.write_bytes(private(other))

    check(shown, public(other), "RS256")


WRONG: list[tuple[str, bytes, str, str]] = [
    ("the public key", public(RSA), "RS256", "holds a public key; the private one is needed"),
    ("another method's", private(P256), "RS256", "has no key for RS256"),
    ("another curve's", private(P256), "ES384", "has no key for ES384"),
    ("a short one", private(SHORT), "RS256", "RSA keys need 2048 bits"),
    ("an encrypted one", RSA.private_bytes(PEM, PKCS8, LOCKED), "RS256", "encrypted"),
    ("a broken one", private(RSA)[:-200] + b"-----END PRIVATE KEY-----\n", "RS256", "cannot be read"),
    ("no key", b"S3CR3T", "RS256", "holds no key of PEM"),
]


@pytest.mark.parametrize(("content", "method", "said"), [r[1:] for r in WRONG], ids=[r[0] for r in WRONG])
def test_a_wrong_key_is_said(tmp_path: Path, content: bytes, method: str, said: str) -> None:
    """With the setting it stands in, and nothing of what is in it."""
    with pytest.raises(SettingsError) as refused:
        credentials(jwt_private_key=key_file(tmp_path, content), jwt_method=method).show()

    assert said in str(refused.value)
    assert "delivery.engines.calm.jwt_private_key" in str(refused.value)
    assert "S3CR3T" not in str(refused.value)


def test_a_key_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By the file's name."""
    with pytest.raises(SettingsError, match=r"none\.pem cannot be read"):
        credentials(jwt_private_key=tmp_path / "none.pem", jwt_method="RS256").show()


def test_a_public_key_is_no_secret() -> None:
    """Whoever has it could sign with it."""
    line = RSA.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    with pytest.raises(SettingsError, match=r"jwt_secret: is a public key"):
        credentials(jwt_secret=line).show()
