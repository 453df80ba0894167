"""TLS by real handshakes on loopback, with certificates of the openssl command line."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from action_server.errors import SettingsError
from action_server.security.tls import tls_context
from tests.action_server.security.certificates import PASSWORD, Files, make_files

PATIENCE = 10


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("certificates"))


def client(files: Files, name: str | None = None) -> ssl.SSLContext:
    """A client that trusts our CA and, with a name, has a certificate."""
    context = ssl.create_default_context(cafile=files["ca.pem"])
    if name is not None:
        context.load_cert_chain(files[f"{name}.pem"], files[f"{name}.key"])
    return context


def talk(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> str:
    """Connect, ask and return the answer; raises what the client sees. The server answers with the TLS version.

    The client takes up the ``session`` of an earlier connection if the server lets it.
    """

    def answer() -> None:
        try:
            connection, _ = listening.accept()
            with connection, server.wrap_socket(connection, server_side=True) as secured:
                if secured.recv(1):
                    secured.sendall((secured.version() or "").encode())
        except OSError:
            # The client hears of it as well, which is what counts.
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=PATIENCE) as connection,
                client.wrap_socket(connection, server_hostname="localhost", session=session) as secured,
            ):
                secured.sendall(b"?")
                return secured.recv(100).decode()
        finally:
            thread.join(PATIENCE)


SERVERS = [
    ("a certificate and its key", "server.pem", "server.key", None),
    ("both in one file", "both.pem", None, None),
    ("an encrypted key", "server.pem", "locked.key", PASSWORD),
    ("a password nobody asks for", "server.pem", "server.key", "x" * 2000),
]


@pytest.mark.parametrize(("certificate", "key", "password"), [s[1:] for s in SERVERS], ids=[s[0] for s in SERVERS])
def test_a_client_that_trusts_the_ca_connects(
    files: Files, certificate: str, key: str | None, password: str | None
) -> None:
    """However the key is given."""
    server = tls_context(files[certificate], files[key] if key else None, password, None)

    assert talk(server, client(files)) == "TLSv1.3"


def test_a_client_that_does_not_trust_the_ca_goes_away(files: Files) -> None:
    """The server's certificate is what it is checked by."""
    stranger = ssl.create_default_context(cafile=files["other-ca.pem"])

    with pytest.raises(ssl.SSLCertVerificationError):
        talk(tls_context(files["server.pem"], files["server.key"], None, None), stranger)


def test_tls_1_2_is_spoken(files: Files) -> None:
    """Older engines' OpenSSL has no newer one."""
    old = client(files)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    assert talk(tls_context(files["server.pem"], files["server.key"], None, None), old) == "TLSv1.2"


def test_tls_1_1_is_not_spoken(files: Files) -> None:
    """RFC 8996 forbids it. Not by a handshake: today's OpenSSL refuses to be such a client."""
    server = tls_context(files["server.pem"], files["server.key"], None, None)

    assert server.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("ca", ["ca.pem", "cas.pem"])
def test_a_client_with_a_certificate_of_the_ca_connects(files: Files, ca: str) -> None:
    """A file may hold several CAs."""
    server = tls_context(files["server.pem"], files["server.key"], None, files[ca])

    assert talk(server, client(files, "client")) == "TLSv1.3"


@pytest.mark.parametrize("name", [None, "wrong-client"], ids=["without one", "of another CA"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_a_client_ca_no_other_client_is_answered(files: Files, name: str | None, version: ssl.TLSVersion) -> None:
    """Neither without a certificate nor with one of another CA."""
    server = tls_context(files["server.pem"], files["server.key"], None, files["ca.pem"])
    stranger = client(files, name)
    stranger.maximum_version = version

    # With TLS 1.3 the client's handshake ends before the server has seen its certificate; it hears of it when it reads.
    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF|broken pipe"):
        talk(server, stranger)


def test_the_systems_cas_are_no_client_cas(files: Files) -> None:
    """Any certificate one can buy would open otherwise."""
    server = tls_context(files["server.pem"], files["server.key"], None, files["ca.pem"])

    assert [ca["subject"] for ca in server.get_ca_certs()] == [((("commonName", "ca"),),)]


CERTIFICATE = "--ssl-certificate, --ssl-keyfile"

# What is wrong, the certificate, the key, the password, the client CA, the flag that is named, and what is said.
REFUSED: list[tuple[str, str, str | None, str | None, str | None, str, str]] = [
    ("no certificate", "none.pem", "server.key", None, None, CERTIFICATE, "cannot be read: No such file"),
    ("a folder", ".", "server.key", None, None, CERTIFICATE, "cannot be read: Is a directory"),
    ("no key", "server.pem", "none.key", None, None, CERTIFICATE, "cannot be read: No such file"),
    ("no name", "a\0b", "server.key", None, None, CERTIFICATE, "no file can have this name"),
    ("a certificate that is none", "garbage.pem", "server.key", None, None, CERTIFICATE, "holds no certificate"),
    ("files exchanged", "server.key", "server.pem", None, None, CERTIFICATE, "holds no certificate"),
    ("a key that is none", "server.pem", "garbage.pem", None, None, CERTIFICATE, "holds no private key"),
    ("a certificate alone", "server.pem", None, None, None, CERTIFICATE, "holds no private key"),
    ("a broken certificate", "broken.pem", "server.key", None, None, CERTIFICATE, "cannot be used: "),
    ("a broken key", "server.pem", "broken.key", None, None, CERTIFICATE, "cannot be used: "),
    ("the key of another", "server.pem", "client.key", None, None, CERTIFICATE, "key values mismatch"),
    ("no password", "server.pem", "locked.key", None, None, CERTIFICATE, "needs its password, --ssl-password"),
    ("a wrong password", "server.pem", "locked.key", "wrong", None, CERTIFICATE, "needs its password, --ssl-password"),
    ("an endless password", "server.pem", "locked.key", "x" * 2000, None, CERTIFICATE, "needs its password"),
    ("the locked key of another", "client.pem", "locked.key", PASSWORD, None, CERTIFICATE, "key values mismatch"),
    ("no client CA", "server.pem", "server.key", None, "none.pem", "--ssl-ca-file", "cannot be read: No such file"),
    ("a client CA that is none", "server.pem", "server.key", None, "garbage.pem", "--ssl-ca-file", "holds no cert"),
    ("a broken client CA", "server.pem", "server.key", None, "broken.pem", "--ssl-ca-file", "cannot be used: "),
    ("a client as its CA", "server.pem", "server.key", None, "client.pem", "--ssl-ca-file", "no certificate of a CA"),
]


@pytest.mark.parametrize(
    ("certificate", "key", "password", "ca", "flag", "problem"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_file_that_cannot_be_used_is_named_with_its_flag(
    files: Files, certificate: str, key: str | None, password: str | None, ca: str | None, flag: str, problem: str
) -> None:
    """One line, without the password, and nobody is asked for one on the terminal."""
    with pytest.raises(SettingsError) as error:
        tls_context(files[certificate], files[key] if key else None, password, files[ca] if ca else None)

    assert error.value.where == flag
    assert problem in str(error.value)
    assert "\n" not in str(error.value)
    assert password is None or password not in str(error.value)
