"""Secrets are taken as text or from files, several at once, and are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from action_server.errors import SettingsError
from action_server.security.secrets import SecretFile, Secrets, texts, without_queries

HIDDEN = "Zuckerguss"


class Holder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tokens: Secrets = ()


def read(value: object) -> list[str]:
    return list(texts(Holder.model_validate({"tokens": value}).tokens, "auth.tokens"))


TAKEN: list[tuple[str, Any, list[str]]] = [
    ("a text", "one", ["one"]),
    ("a list", ["one", "two"], ["one", "two"]),
    ("one a line, as the environment gives several", "one\ntwo", ["one", "two"]),
    ("lines of Windows", "one\r\ntwo\r\n", ["one", "two"]),
    ("with the end of line a file of Kubernetes has", "one\n", ["one"]),
    ("a space within", "one two", ["one two"]),
    ("one character", "1", ["1"]),
    ("what is a comment in a file only", "#one", ["#one"]),
    ("all kinds of letters", "pässwörter-🔑", ["pässwörter-🔑"]),
    ("what is hidden already", [SecretStr("one")], ["one"]),
    ("a dollar", "a$b{c}", ["a$b{c}"]),
]


@pytest.mark.parametrize(("value", "secrets"), [t[1:] for t in TAKEN], ids=[t[0] for t in TAKEN])
def test_a_secret_is_taken_from(value: object, secrets: list[str]) -> None:
    """One or several, with nothing added or dropped."""
    assert read(value) == secrets


FILES: list[tuple[str, bytes, list[str]]] = [
    ("one a line", b"one\ntwo\n", ["one", "two"]),
    ("without an end", b"one", ["one"]),
    ("of Windows", b"\xef\xbb\xbfone\r\ntwo\r\n", ["one", "two"]),
    ("with comments", b"# ours\none\n\n  \n#two\nth#ree\n", ["one", "th#ree"]),
    ("with spaces around", b"  one \n", ["one"]),
    ("with other letters", "pässwörter\n".encode(), ["pässwörter"]),
]


@pytest.mark.parametrize(("content", "secrets"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_is_read(tmp_path: Path, content: bytes, secrets: list[str]) -> None:
    """Empty lines and comments do not count."""
    file = tmp_path / "secrets"
    file.write_bytes(content)

    assert read({"file": str(file)}) == secrets
    assert read(SecretFile(file)) == secrets
    assert read(["first", {"file": file}]) == ["first", *secrets]


REFUSED: list[tuple[str, Any, str]] = [
    ("nothing", None, "must be text"),
    ("an empty text", "", "is empty"),
    ("an empty list", [], "is empty"),
    ("an empty text among others", [HIDDEN, ""], "is empty"),
    ("an empty line", f"{HIDDEN}\n\n{HIDDEN}", "is empty"),
    ("spaces", "  ", "white space"),
    ("a space before", f" {HIDDEN}", "white space"),
    ("a space after", f"{HIDDEN} ", "white space"),
    ("a tab within", f"a\t{HIDDEN}", "control character"),
    ("an end of line in a list", [f"a\n{HIDDEN}"], "control character"),
    ("half an end of line in a list", [f"{HIDDEN}\r"], "white space"),
    ("half an end of line", f"{HIDDEN}\ra", "control character"),
    ("a zero byte", f"{HIDDEN}\0a", "control character"),
    ("half a character", f"{HIDDEN}\ud83d", "UTF-8"),
    ("a placeholder", "${" + HIDDEN + "}", "placeholder"),
    ("a placeholder within", "a${" + HIDDEN + "}", "placeholder"),
    ("a number", 12345678, "put numbers in quotes"),
    ("true", [True], "put numbers in quotes"),
    ("a list in a list", [[HIDDEN]], "must be text"),
    ("bytes", HIDDEN.encode(), "must be text"),
    ("a mapping", {HIDDEN: HIDDEN}, "must be text"),
    ("a file and more", {"file": "x", HIDDEN: HIDDEN}, "must be text"),
    ("a file without a name", {"file": ""}, "must be text"),
    ("a file that is a list", {"file": [HIDDEN]}, "must be text"),
    ("a hidden empty text", [SecretStr("")], "is empty"),
]


@pytest.mark.parametrize(("value", "problem"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_no_secret_is_refused(value: object, problem: str) -> None:
    """With what is wrong, and without what was given."""
    with pytest.raises(ValidationError) as error:
        Holder.model_validate({"tokens": value})

    assert problem in str(error.value)
    assert HIDDEN not in str(error.value)
    assert [e["loc"] for e in error.value.errors(include_input=False)] == [("tokens",)]


BAD_FILES: list[tuple[str, bytes | None, str]] = [
    ("which is not there", None, "cannot be read: No such file or directory"),
    ("which is empty", b"", "holds no secret"),
    ("with comments alone", b"# " + HIDDEN.encode() + b"\n\n", "holds no secret"),
    ("which is not text", b"\xff\xfe" + HIDDEN.encode(), "is not UTF-8 text"),
    ("with a control character", b"one\n" + HIDDEN.encode() + b"\x07\n", "line 2 holds a control character"),
    ("with a placeholder", b"${" + HIDDEN.encode() + b"}\n", "line 1 is a placeholder"),
]


@pytest.mark.parametrize(("content", "problem"), [b[1:] for b in BAD_FILES], ids=[b[0] for b in BAD_FILES])
def test_a_file_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """The setting, the file and the line are named; what stands there is not."""
    file = tmp_path / "secrets"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as error:
        read({"file": str(file)})

    assert error.value.where == "auth.tokens"
    assert f"{file}" in str(error.value)
    assert problem in str(error.value)
    assert HIDDEN not in str(error.value)


def test_a_file_that_no_system_can_have_is_refused() -> None:
    """A zero byte in a name is no reason for a traceback."""
    with pytest.raises(SettingsError, match="no file can have this name"):
        read({"file": "a\0b"})


def test_secrets_are_not_shown() -> None:
    """Neither by the model nor by what it holds."""
    holder = Holder.model_validate({"tokens": [HIDDEN, HIDDEN]})

    assert HIDDEN not in f"{holder} {holder!r} {holder.tokens!r} {vars(holder)} {holder.model_dump_json()}"


LINES = [
    # Sanic writes this when a caller goes away or the server stops during a call.
    (
        f"Request: POST http://x:5055/webhook?token={HIDDEN} stopped. Transport is closed.",
        "Request: POST http://x:5055/webhook?*** stopped. Transport is closed.",
    ),
    (f"'/webhook?a=1&%74oken={HIDDEN}'", "'/webhook?***'"),
    (f"/webhook?{HIDDEN}=#there", "/webhook?***#there"),
    (f"/a?token={HIDDEN} and /b?x=?{HIDDEN}", "/a?*** and /b?***"),
    ("is it there? status=401", "is it there? status=401"),
    ("/webhook?plain", "/webhook?plain"),
    ("", ""),
]


@pytest.mark.parametrize(("line", "blanked"), LINES, ids=[blanked or "empty" for _, blanked in LINES])
def test_queries_are_blanked_out(line: str, blanked: str) -> None:
    """Whatever the parameter is called; the rest of the line stays."""
    assert without_queries(line) == blanked
