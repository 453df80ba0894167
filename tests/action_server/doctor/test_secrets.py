"""Nothing the doctor prints holds a secret of the files or the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from action_server.cli import command_line
from tests.action_server.doctor.bots import BOT, CLOSED, OPEN, SERVICE, URL, basic, examine_bot
from tests.processes import run
from tests.projects import project

# Where a secret can stand: the endpoints file, the environment.
HIDDEN: list[tuple[str, Mapping[str, Any], Mapping[str, str]]] = [
    ("a token", {"token": "S3CR3T"}, {}),
    ("a token that is a part of a variable", {"token": "a${B}$S3CR3T"}, {}),
    ("a variable", {"token": "${X}"}, {"X": "S3CR3T"}),
    ("a header", {"headers": {"X-A": "S3CR3Tä"}}, {}),
    ("a header with a line break", {"headers": {"X-A": "S3CR3T\n"}}, {}),
    ("a password", basic("a", "S3CR3T"), {}),
    ("a password of no latin-1", basic("a", "S3CR3Tž"), {}),
    ("a parameter", {"params": {"key": "S3CR3T"}}, {}),
    ("a user in the url", {"url": "http://S3CR3T:S3CR3T@bot.example/"}, {}),
    ("a query in the url", {"url": "http://bot.example/?token=S3CR3T"}, {}),
    ("a url that is a secret", {"url": "S3CR3T"}, {}),
    ("a scheme that is a secret", {"url": "S3CR3T://a"}, {}),
    ("a url with a sharp", {"url": "http://S3CR3T#a@bot.example/webhook"}, {}),
    ("a host that is a secret", {"url": "https://S3CR3T.example:5055/webhook"}, {}),
    ("a port that is a secret", {"url": "http://localhost:S3CR3T/webhook"}, {}),
    ("headers that are a text", {"headers": "S3CR3T"}, {}),
    ("our own", {"url": "http://localhost:5056/"}, {"ACTION_SERVER__AUTH__TOKENS": "S3CR3T"}),
    ("a service's", {}, {"ACTION_SERVER__SERVICES__X__Y": "S3CR3T"}),
]


@pytest.mark.parametrize(("endpoint", "variables"), [h[1:] for h in HIDDEN], ids=[h[0] for h in HIDDEN])
def test_no_secret_is_printed(
    bot: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Mapping[str, Any],
    variables: Mapping[str, str],
) -> None:
    """Neither in the table nor in the JSON, nor on standard error."""
    file = bot / "endpoints.yml"
    file.write_text(json.dumps({"action_endpoint": {**OPEN, **endpoint}}), encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    flags = ["--endpoints", str(file), "--actions", BOT]
    command_line.main(["doctor", *flags])
    command_line.main(["doctor", *flags, "--json", "-vv"])

    printed = capfd.readouterr()
    assert printed.out
    assert "S3CR3T" not in printed.out + printed.err


def test_a_failing_service_prints_no_secret(folder: Path) -> None:
    """The error's text may hold an address with its password; its traceback as well."""
    project(folder, {"actions.py": SERVICE, "endpoints.yml": "action_endpoint: {actions_module: actions}\n"})

    ended = run(folder, ["doctor", "--online", "-vv", "--host", "127.0.0.1"])

    assert ended.returncode == 1
    assert "services-fail" in ended.stdout
    assert "S3CR3T" not in ended.stdout + ended.stderr


ANY = st.text(st.characters(codec="utf-8"), max_size=8)


@given(
    before=ANY, after=ANY, name=st.sampled_from(["url", "token", "params", "headers", "basic_auth", "user", "query"])
)
@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
def test_no_secret_of_whatever_shape_is_in_a_finding(bot: Path, before: str, after: str, name: str) -> None:
    """Wherever it stands, whatever surrounds it."""
    secret = f"{before}S3CR3T{after}"
    endpoint = {
        "url": {"url": secret},
        "user": {"url": f"http://a:{secret}@localhost:5055/webhook"},
        "query": {"url": f"{URL}?token={secret}"},
        "basic_auth": basic(secret, secret),
        "token": {"token": secret},
    }.get(name, {name: {"X": secret}})

    found = examine_bot(bot, {"action_endpoint": {**OPEN, **endpoint}}, flags=CLOSED)

    assert "S3CR3T" not in str(found)
