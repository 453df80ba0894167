"""JSON Web Tokens: the keys they may be signed with, and whether one is valid.

PyJWT is imported in the functions: it brings cryptography, which takes a tenth of a second, and few servers take JWTs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from action_server.errors import SettingsError

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]

_PUBLIC_KEYS = re.compile(rb"-----BEGIN [A-Z ]*PUBLIC KEY-----.+?-----END [A-Z ]*PUBLIC KEY-----", re.DOTALL)
# In a JSON Web Key: the private number of RSA, EC and OKP keys, and the secret of symmetric ones (RFC 7518, 6).
_PRIVATE_PARTS = frozenset({"d", "k"})
# RFC 7518, 3.3 and 3.4.
_SMALLEST_RSA = 2048
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Key:
    """A key, the algorithms it may be used with, and its id if it has one."""

    key: Any
    algorithms: Sequence[Algorithm]
    kid: str | None = None

    def __repr__(self) -> str:
        return f"Key(kid={self.kid!r})"


class Verifier:
    """Tells whether a token is valid: signed with one of the keys, not expired, of the issuer and for the audience."""

    def __init__(
        self, keys: Sequence[Key], *, issuer: Sequence[str] | None, audience: Sequence[str] | None, leeway: float
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway

    def subject(self, token: str) -> str | None:
        """Return a valid token's ``sub``, made fit for a log, or "jwt" if it has none; None if it is not valid."""
        from jwt import get_unverified_header

        try:
            kid = get_unverified_header(token).get("kid")
            found = [self._verify(token, key) for key in self._candidates(kid)]
        except Exception:  # noqa: BLE001 - whatever in a token PyJWT trips over, the token is not valid
            return None
        return next((subject for subject in found if subject is not None), None)

    def _candidates(self, kid: object) -> Iterator[Key]:
        only_one = len(self._keys) == 1
        for key in self._keys:
            if key.kid is None or key.kid == kid or (kid is None and only_one):
                yield key

    def _verify(self, token: str, key: Key) -> str | None:
        from jwt import InvalidTokenError, decode

        try:
            claims = decode(
                token,
                key.key,
                algorithms=key.algorithms,
                issuer=self._issuer,
                # Without an audience PyJWT refuses tokens that are meant for somebody.
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp"]},
            )
        except InvalidTokenError:
            return None
        name = str(claims.get("sub") or "jwt")[:_LONGEST_NAME]
        return "".join(character if character.isprintable() else "?" for character in name)


def hmac_keys(secrets: Sequence[str], algorithms: Sequence[Algorithm], where: str) -> list[Key]:
    """Make keys of shared secrets. Raises :class:`SettingsError` on weak ones and on what is no secret."""
    # RFC 7518, 3.2: as long as the hash.
    needed = max(int(algorithm[2:]) // 8 for algorithm in algorithms)
    for secret in secrets:
        if len(secret.encode()) < needed:
            raise SettingsError(where, f"has a secret shorter than {needed} bytes, the least for {max(algorithms)}")
    return [Key(shared_secret(secret, where), algorithms) for secret in secrets]


def shared_secret(secret: str, where: str) -> str:
    """Return a secret that others have as well. Raises :class:`SettingsError` on a public key, which is none."""
    from jwt import InvalidKeyError, get_algorithm_by_name

    try:
        get_algorithm_by_name("HS256").prepare_key(secret)
    except InvalidKeyError:
        raise SettingsError(where, "is a public key; it belongs into a file") from None
    return secret


def signing_key(content: bytes, algorithm: Algorithm, where: str) -> Any:
    """Read the private key of a PEM file, to sign with. Raises :class:`SettingsError`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"PRIVATE KEY" not in content:
        what = "a public key" if b"PUBLIC KEY" in content else "no key of PEM"
        raise SettingsError(where, f"holds {what}; the private one is needed, to sign with")
    try:
        key: Any = load_pem_private_key(content, None)
    except TypeError:
        raise SettingsError(where, "is encrypted; a key without a passphrase is needed") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(where, "holds a private key that cannot be read") from None
    _require_usable([Key(key, _algorithms_for(key.public_key(), [algorithm]))], [algorithm], where)
    return key


def pem_keys(content: bytes, algorithms: Sequence[Algorithm], where: str) -> list[Key]:
    """Read the public keys of a PEM file, one or several. Raises :class:`SettingsError`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in content:
        raise SettingsError(where, "holds a private key; only public ones belong there")
    try:
        keys = [load_pem_public_key(block) for block in _PUBLIC_KEYS.findall(content)]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(where, "holds a public key that cannot be read") from None
    return _require_usable([Key(key, _algorithms_for(key, algorithms)) for key in keys], algorithms, where)


def jwks_keys(content: bytes, algorithms: Sequence[Algorithm], where: str) -> list[Key]:
    """Read the keys of a JSON Web Key Set (RFC 7517). Raises :class:`SettingsError`."""
    try:
        keys = [_jwk(entry, algorithms, where) for entry in json.loads(content)["keys"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SettingsError(where, "is not a JSON Web Key Set") from None
    return _require_usable([key for key in keys if key is not None], algorithms, where)


def _jwk(entry: dict[str, Any], algorithms: Sequence[Algorithm], where: str) -> Key | None:
    """Read an entry of a set; None for keys of a kind one does not know, which shall be passed over (RFC 7517, 5)."""
    from jwt import PyJWK, PyJWTError

    if _PRIVATE_PARTS & entry.keys():
        raise SettingsError(where, "holds a private or secret key; only public ones belong there")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    try:
        key = PyJWK(entry).key
    except PyJWTError:
        return None
    meant = entry.get("alg")
    return Key(key, [a for a in _algorithms_for(key, algorithms) if meant in (None, a)], entry.get("kid"))


def _algorithms_for(key: object, algorithms: Sequence[Algorithm]) -> list[Algorithm]:
    """Choose the algorithms that fit a public key: the token's header must not decide how a key is read."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA:
        return [algorithm for algorithm in algorithms if algorithm[:2] in ("RS", "PS")]
    if isinstance(key, ec.EllipticCurvePublicKey):
        return [algorithm for algorithm in algorithms if algorithm == _CURVES.get(key.curve.name)]
    if isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return [algorithm for algorithm in algorithms if algorithm == "EdDSA"]
    return []


def _require_usable(keys: Sequence[Key], algorithms: Sequence[Algorithm], where: str) -> list[Key]:
    usable = [key for key in keys if key.algorithms]
    if not usable:
        raise SettingsError(where, f"has no key for {', '.join(algorithms)}; RSA keys need {_SMALLEST_RSA} bits")
    return usable
