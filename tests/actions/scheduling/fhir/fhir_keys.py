"""Keys of SMART clients for the tests, and what the server's token endpoint knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from actions.scheduling.fhir.settings import SCOPE

CLIENT = "action-server"
TOKEN = "a-token-that-was-handed-out"
PATIENTS = "system/Patient.rs"


@dataclass(frozen=True)
class KeyPair:
    """A key in PEM, private and public."""

    algorithm: str
    private: str
    public: str


@cache
def key_pair(algorithm: str, number: int = 0) -> KeyPair:
    """Return the key pair of this number; each is made once."""
    key: Any = (
        rsa.generate_private_key(65537, 2048) if algorithm == "RS384" else ec.generate_private_key(ec.SECP384R1())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return KeyPair(algorithm, private, public)


def known_clients() -> dict[str, Any]:
    """Return the configuration of a server that knows one client with two keys, and one token."""
    keys = {kid: {"pem": key_pair(alg).public, "alg": alg} for kid, alg in (("rsa", "RS384"), ("ec", "ES384"))}
    return {
        "clients": {
            CLIENT: {"keys": keys, "scopes": [*SCOPE.split(), PATIENTS, "system/Slot.rs", "system/Appointment.rs"]}
        },
        "tokens": {TOKEN: ["system/*.cruds"]},
    }


def smart(algorithm: str = "RS384", **more: object) -> dict[str, Any]:
    """Return the settings of that client."""
    kid = {"RS384": "rsa", "ES384": "ec"}[algorithm]
    key = key_pair(algorithm).private
    return {"type": "smart", "client_id": CLIENT, "key_id": kid, "algorithm": algorithm, "private_key": key, **more}
