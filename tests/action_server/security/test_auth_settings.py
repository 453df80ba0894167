"""What `auth:` may say, and where its secrets come from; what is wrong is named, and no secret is shown."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from action_server.errors import SettingsError
from action_server.security.auth import Authenticator, AuthSettings, Identity
from tests.action_server.security.credentials import (
    EVERYTHING,
    JWT_SECRET,
    KEY,
    MARK,
    NEW,
    OLD,
    PASSWORD,
    authenticator,
    basic,
    bearer,
    headers,
    refused,
    signed,
)


def test_underscores_of_a_variable_stand_for_hyphens() -> None:
    """`ACTION_SERVER__AUTH__HEADERS__X_API_KEY`: a variable cannot have a hyphen."""
    checks = authenticator(headers={"x_api_key": KEY})

    for name in ("X-Api-Key", "X_Api_Key"):
        assert checks.check(headers((name, KEY))) == Identity("header", "x_api_key #1")


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """Everywhere a secret may stand."""
    file = tmp_path / "secrets"
    file.write_text(f"# of the engine\n{JWT_SECRET}\n{NEW}-and-as-long-as-a-secret-for-jwt\n")
    here = {"file": str(file)}
    checks = authenticator(
        tokens=[OLD, here],
        headers={"X-Api-Key": here},
        basic={"username": "engine", "password": here},
        jwt={"algorithms": "HS256", "secret": here, "audience": "actions"},
    )

    assert checks.check(headers(bearer(OLD))) == Identity("token", "token #1")
    assert checks.check(headers(bearer(JWT_SECRET))) == Identity("token", "token #2")
    assert checks.check(headers(("X-Api-Key", JWT_SECRET))) == Identity("header", "X-Api-Key #1")
    assert checks.check(headers(basic("engine", JWT_SECRET))) == Identity("basic", "engine")
    assert checks.check(headers(bearer(signed()))) == Identity("jwt", "rasa")


MISSING = [
    ({"tokens": {"file": "none"}}, "auth.tokens"),
    ({"headers": {"X-Api-Key": {"file": "none"}}}, "auth.headers.X-Api-Key"),
    ({"basic": {"username": "engine", "password": {"file": "none"}}}, "auth.basic.password"),
    ({"jwt": {"algorithms": "HS256", "secret": {"file": "none"}}}, "auth.jwt.secret"),
    ({"jwt": {"algorithms": "RS256", "public_key_file": "none"}}, "auth.jwt.public_key_file"),
    ({"jwt": {"algorithms": "RS256", "jwks_file": "none"}}, "auth.jwt.jwks_file"),
]


@pytest.mark.parametrize(("settings", "where"), MISSING, ids=[where for _, where in MISSING])
def test_a_file_that_is_missing_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], where: str
) -> None:
    """When the server starts, not when the first call comes."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError) as error:
        authenticator(**settings)

    assert str(error.value) == f"{where}: none cannot be read: No such file or directory"


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("an empty token", {"tokens": ""}, "is empty"),
    ("no tokens", {"tokens": []}, "is empty"),
    ("tokens of nothing", {"tokens": None}, "is empty"),
    ("a number", {"tokens": 12345}, "put numbers in quotes"),
    ("a control character", {"tokens": [f"{MARK}\x7f"]}, "control character"),
    ("an empty name of the parameter", {"tokens": OLD, "token_name": ""}, "at least 1 character"),
    ("a name of a parameter alone", {"token_name": "access"}, "needs at least one of tokens"),
    ("a name of a parameter nobody reads", {"headers": {"X-Api-Key": KEY}, "token_name": "access"}, "without tokens"),
    ("no headers", {"headers": {}}, "needs at least one of tokens"),
    ("an empty header", {"headers": {"X-Api-Key": ""}}, "is empty"),
    ("a header of nothing", {"headers": {"X-Api-Key": []}}, "is empty"),
    ("a header with a space", {"headers": {f"{MARK} x": KEY}}, "no such name can have"),
    ("a header without a name", {"headers": {"": KEY}}, "no such name can have"),
    ("a header with a colon", {"headers": {"X-Api-Key:": KEY}}, "no such name can have"),
    ("headers in a list", {"headers": [KEY]}, "valid dictionary"),
    ("an open path alone", {"open_paths": ["/ready"]}, "needs at least one of tokens"),
    ("a monitor's token alone", {"monitor_tokens": OLD}, "needs at least one of tokens"),
    ("an open path that is a call's", {"tokens": OLD, "open_paths": ["/webhook"]}, "'/ready' or '/metrics'"),
    ("an empty monitor's token", {"tokens": OLD, "monitor_tokens": ""}, "is empty"),
    ("no users", {"basic": []}, "needs at least one of tokens"),
    ("a user in a text", {"basic": f"engine:{PASSWORD}"}, "valid dictionary"),
    ("a user without name", {"basic": {"username": "", "password": PASSWORD}}, "is empty"),
    ("a user with a colon", {"basic": {"username": f"{MARK}:", "password": PASSWORD}}, "has a colon"),
    ("a user with an end of line", {"basic": {"username": "a\nb", "password": PASSWORD}}, "control character"),
    ("a user without password", {"basic": {"username": "engine"}}, "Field required"),
    ("a user with an empty password", {"basic": {"username": "engine", "password": ""}}, "is empty"),
    ("a user with more", {"basic": {"username": "engine", "password": PASSWORD, "x": PASSWORD}}, "Extra inputs"),
    ("jwt of nothing", {"jwt": {}}, "Field required"),
    ("no jwt", {"jwt": None}, "is empty"),
    ("no jwt beside tokens", {"tokens": OLD, "jwt": None}, "is empty"),
    ("what there is not", {"token": OLD}, "Extra inputs"),
]


@pytest.mark.parametrize(("settings", "problem"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_settings_are_refused(settings: dict[str, object], problem: str) -> None:
    """What would open more than was meant, or nothing, does not start; the message has no value in it."""
    with pytest.raises(ValidationError, match=problem) as error:
        AuthSettings.model_validate(settings)

    assert MARK not in str(error.value)
    assert MARK not in str(error.value.errors(include_input=False, include_context=False))


@pytest.mark.parametrize("value", [OLD, [OLD], None, 7], ids=["a text", "a list", "nothing", "a number"])
def test_settings_that_are_no_mapping_are_refused(value: object) -> None:
    """`auth: <token>` is not understood, and an emptied `auth:` does not open the server."""
    with pytest.raises(ValidationError, match="valid dictionary") as error:
        AuthSettings.model_validate(value)

    assert MARK not in str(error.value)


def test_without_settings_it_is_off() -> None:
    """And whoever asks it all the same gets no one in."""
    off = Authenticator(AuthSettings())

    assert not off.enabled
    assert authenticator(tokens=OLD).enabled
    refused(off, [bearer("")], "token=")
    refused(off, [("Authorization", "Basic ")])


def test_settings_travel_to_a_worker() -> None:
    """Workers are other processes; an authenticator is made in each of them."""
    travelled = pickle.loads(pickle.dumps(AuthSettings.model_validate(EVERYTHING)))  # noqa: S301 - our own

    assert Authenticator(travelled).check(headers(bearer(NEW))) == Identity("token", "token #2")
