"""Keys and certificates that are files are read again when they change, without a restart."""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from action_server.errors import SettingsError, UnauthorizedError
from action_server.security import watched_files
from action_server.security.auth import Identity
from action_server.security.tls import TlsFiles
from action_server.security.watched_files import WatchedFiles
from tests.action_server.security.certificates import Files, make_files
from tests.action_server.security.credentials import NEW, OLD, authenticator, bearer, headers
from tests.action_server.security.test_jwt import OTHER_RSA_KEY, RSA_KEY, claims, jwk
from tests.action_server.security.test_tls import client, talk


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def replace(path: Path, content: bytes | str) -> None:
    """Put another file in its place, as tools that renew certificates do, so that nobody sees half of it."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(new, path)


@pytest.fixture
def number(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


def reader_of(path: Path) -> Callable[[], int]:
    def read() -> int:
        try:
            return int(path.read_text())
        except (ValueError, OSError):
            raise SettingsError("number", "is none") from None

    return read


def test_a_changed_file_is_read_again_a_second_later(number: Path) -> None:
    """Not for each who asks: under load that would be thousands of times in a second."""
    clock = Clock()
    watched = WatchedFiles([number], reader_of(number), what="a number", clock=clock)
    replace(number, "2")

    assert watched.get() == 1
    clock.now = 1.0
    assert watched.get() == 2


@pytest.mark.parametrize("broken", ["x", None], ids=["broken", "gone"])
def test_a_file_that_cannot_be_used_leaves_what_was_and_is_said_once(
    number: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It is often in the middle of being replaced; the whole one is taken when it is there."""
    clock = Clock()
    watched = WatchedFiles([number], reader_of(number), what="a number", clock=clock)
    number.unlink()
    if broken is not None:
        number.write_text(broken)

    with caplog.at_level(logging.INFO):
        for clock.now in (1.0, 2.0, 3.0):
            assert watched.get() == 1
        replace(number, "3")
        clock.now = 4.0
        assert watched.get() == 3

    assert [record.getMessage() for record in caplog.records] == ["files.not_read_again", "files.read_again"]


def test_what_is_made_of_no_file_is_never_made_again() -> None:
    """And one that cannot be made at the start is an error there."""
    made: list[int] = []
    clock = Clock()
    watched = WatchedFiles([], lambda: made.append(1), what="nothing", clock=clock)
    clock.now = 10.0
    watched.get()

    assert made == [1]
    with pytest.raises(SettingsError, match="number: is none"):
        WatchedFiles([], reader_of(Path("nowhere")), what="a number")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_files, "INTERVAL", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_new_key_of_the_issuer_opens_and_an_old_one_no_longer(tmp_path: Path) -> None:
    """An issuer that rotates its keys writes a new set."""
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [jwk(RSA_KEY, kid="1")]}))
    checks = authenticator(jwt={"algorithms": "RS256", "jwks_file": str(keys)})
    first, second = (
        jwt.encode({"sub": "rasa", "exp": claims()["exp"]}, key, "RS256", headers={"kid": kid})
        for key, kid in ((RSA_KEY, "1"), (OTHER_RSA_KEY, "2"))
    )

    assert checks.check(headers(bearer(first))) == Identity("jwt", "rasa")
    replace(keys, json.dumps({"keys": [jwk(OTHER_RSA_KEY, kid="2")]}))
    assert checks.check(headers(bearer(second))) == Identity("jwt", "rasa")
    with pytest.raises(UnauthorizedError):
        checks.check(headers(bearer(first)))


@pytest.mark.usefixtures("at_once")
def test_a_new_secret_in_a_file_opens_and_an_emptied_file_opens_nothing_more(tmp_path: Path) -> None:
    """Kubernetes changes the files of secrets while we run. A file without a secret must not open what was closed."""
    file = tmp_path / "tokens"
    file.write_text(OLD)
    here = {"file": str(file)}
    checks = authenticator(tokens=here, headers={"X-Api-Key": here}, basic={"username": "a", "password": here})

    replace(file, NEW)
    assert checks.check(headers(bearer(NEW))) == Identity("token", "token #1")
    assert checks.check(headers(("X-Api-Key", NEW))) == Identity("header", "X-Api-Key #1")
    replace(file, "")
    assert checks.enabled
    assert checks.check(headers(bearer(NEW))) == Identity("token", "token #1")
    with pytest.raises(UnauthorizedError):
        checks.check(headers(bearer(OLD)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = make_files(tmp_path_factory.mktemp("certificates"))
    made.make_leaf("renewed", "other-ca")
    return made


def common_name(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """The name in the certificate that the client is shown."""
    shown: list[str] = []

    class Looking(ssl.SSLSocket):
        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            subject = dict(pair[0] for pair in self.getpeercert()["subject"])  # type: ignore[index, misc]
            shown.append(subject["commonName"])
            return super().recv(buflen, flags)

    client.sslsocket_class = Looking
    talk(server, client)
    return shown[0]


@pytest.mark.usefixtures("at_once")
def test_a_renewed_certificate_is_shown_to_the_next_connection(files: Files, tmp_path: Path) -> None:
    """Key and certificate are replaced one after the other; in between the old pair is shown."""
    pair = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key")
    pair.certificate.write_bytes(files["server.pem"].read_bytes())
    pair.key.write_bytes(files["server.key"].read_bytes())
    server = pair.renewed_context()
    both = ssl.create_default_context(cafile=files["cas.pem"])

    assert common_name(server, both) == "server"
    replace(pair.certificate, files["renewed.pem"].read_bytes())
    assert common_name(server, both) == "server"
    replace(pair.key, files["renewed.key"].read_bytes())
    assert common_name(server, both) == "renewed"


@pytest.mark.usefixtures("at_once")
def test_a_new_ca_of_clients_takes_the_place_of_the_old_one(files: Files, tmp_path: Path) -> None:
    """Clients of the old one are refused from then on."""
    client_ca = tmp_path / "ca.pem"
    client_ca.write_bytes(files["ca.pem"].read_bytes())
    server = TlsFiles(files["both.pem"], files["both.pem"], client_ca=client_ca).renewed_context()

    assert talk(server, client(files, "client")) == "TLSv1.3"
    replace(client_ca, files["other-ca.pem"].read_bytes())
    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF|broken pipe"):
        talk(server, client(files, "client"))
    assert talk(server, client(files, "wrong-client")) == "TLSv1.3"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_before_does_not_open_what_its_certificate_would_not(
    files: Files, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Who takes up a session again is not asked for a certificate, whichever CA was taken away since."""
    client_ca = tmp_path / "ca.pem"
    client_ca.write_bytes(files["ca.pem"].read_bytes())
    server = TlsFiles(files["both.pem"], files["both.pem"], client_ca=client_ca).renewed_context()
    caller = client(files, "client")
    caller.maximum_version = version
    sessions: list[ssl.SSLSession | None] = []

    class Keeping(ssl.SSLSocket):
        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            answer = super().recv(buflen, flags)
            sessions.append(self.session)
            return answer

    caller.sslsocket_class = Keeping
    talk(server, caller)
    replace(client_ca, files["other-ca.pem"].read_bytes())

    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF|broken pipe"):
        talk(server, caller, sessions[0])


PIPES: dict[str, Callable[[Path, Path], object]] = {
    "tokens": lambda pipe, _: authenticator(tokens={"file": pipe}),
    "keys": lambda pipe, _: authenticator(jwt={"algorithms": ["RS256"], "jwks_file": pipe}),
    "TLS": lambda pipe, certificate: TlsFiles(certificate, pipe).context(),
}


@pytest.mark.parametrize("read", PIPES.values(), ids=PIPES)
def test_a_pipe_is_no_file_of_secrets(tmp_path: Path, files: Files, read: Callable[[Path, Path], object]) -> None:
    """Reading it waits for somebody to write: the start would hang, and later the event loop of every worker."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(SettingsError, match="pipe cannot be read: it is no regular file"):
        read(pipe, files["server.pem"])


@pytest.mark.usefixtures("at_once")
def test_a_pipe_in_the_place_of_a_file_of_secrets_leaves_what_was(tmp_path: Path) -> None:
    """Nothing waits for it."""
    secrets = tmp_path / "tokens"
    secrets.write_text(NEW)
    checks = authenticator(tokens={"file": secrets})
    secrets.unlink()
    os.mkfifo(secrets)

    assert checks.check(headers(bearer(NEW))) == Identity("token", "token #1")
