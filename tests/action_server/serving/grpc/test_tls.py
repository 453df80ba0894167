"""TLS over gRPC: the same files as over HTTP, by calls to a real server."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.action_server.security.certificates import PASSWORD, Files, make_files
from tests.action_server.security.test_watched_files import replace
from tests.action_server.serving.grpc.test_service import free_port
from tests.processes import PATIENCE, run, server
from tests.projects import GREET, project


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("certificates"))


# The certificate, the key, and the key's password.
SERVERS = [
    ("a certificate and its key", "server.pem", "server.key", None),
    ("both in one file", "both.pem", None, None),
    ("an encrypted key", "server.pem", "locked.key", PASSWORD),
    ("an encrypted key of the old kind", "server.pem", "old-locked.key", PASSWORD),
]


def flags_of(files: Files, certificate: str, key: str | None, password: str | None) -> list[str]:
    given = ["--ssl-certificate", str(files[certificate])]
    given += ["--ssl-keyfile", str(files[key])] if key else []
    return [*given, "--ssl-password", password] if password else given


async def serving_status(files: Files, port: int, client: str | None = None) -> int:
    """What the server says of its health to a client that trusts our CA, with a certificate of its own or without."""
    pair = (files[f"{client}.key"].read_bytes(), files[f"{client}.pem"].read_bytes()) if client else ()
    credentials = grpc.ssl_channel_credentials(files["ca.pem"].read_bytes(), *pair)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    return int(reply.status)


@pytest.mark.parametrize(("certificate", "key", "password"), [s[1:] for s in SERVERS], ids=[s[0] for s in SERVERS])
async def test_however_the_key_is_given_tls_is_spoken(
    tmp_path: Path, files: Files, certificate: str, key: str | None, password: str | None
) -> None:
    """What works over HTTP works over gRPC; before, a key in the certificate's file meant plain text."""
    project(tmp_path, {"actions.py": GREET})
    port = free_port()
    with server(tmp_path, "--grpc", "--port", str(port), *flags_of(files, certificate, key, password)):
        assert await serving_status(files, port) == health_pb2.HealthCheckResponse.SERVING


async def test_with_a_client_ca_only_its_clients_are_served(tmp_path: Path, files: Files) -> None:
    """Engines show certificates over gRPC."""
    project(tmp_path, {"actions.py": GREET})
    port = free_port()
    flags = [*flags_of(files, "both.pem", None, None), "--ssl-ca-file", str(files["ca.pem"])]
    with server(tmp_path, "--grpc", "--port", str(port), *flags):
        assert await serving_status(files, port, "client") == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await serving_status(files, port)

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, files: Files) -> None:
    """A client that trusts only the new CA gets in once the files are the new ones."""
    files.make_leaf("renewed", "other-ca")
    project(tmp_path, {"actions.py": GREET})
    pair = tmp_path / "pair.pem"
    pair.write_bytes(files["both.pem"].read_bytes())
    port = free_port()
    with server(tmp_path, "--grpc", "--port", str(port), "--ssl-certificate", str(pair)) as running:
        assert await serving_status(files, port) == health_pb2.HealthCheckResponse.SERVING
        replace(pair, files["renewed.pem"].read_bytes() + files["renewed.key"].read_bytes())

        # The files are looked at when a client comes, at most once a second: each try here is one.
        credentials = grpc.ssl_channel_credentials(files["other-ca.pem"].read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE, wait_for_ready=True)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        assert running.wait_for("files.read_again")["what"] == "TLS"


REFUSED = [
    ("a certificate alone", "server.pem", None, None, "holds no private key"),
    ("an encrypted key without its password", "server.pem", "locked.key", None, "needs its password, --ssl-password"),
    ("the key of another", "server.pem", "client.key", None, "key values mismatch"),
]


@pytest.mark.parametrize("face", ["http", "grpc"])
@pytest.mark.parametrize(
    ("certificate", "key", "password", "problem"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_server_whose_tls_is_not_complete_does_not_start(
    tmp_path: Path, files: Files, certificate: str, key: str | None, password: str | None, problem: str, face: str
) -> None:
    """One line, exit code 2, the same words over HTTP and gRPC."""
    project(tmp_path, {"actions.py": GREET})
    flags = flags_of(files, certificate, key, password)

    ended = run(tmp_path, ["run", "--port", "0", *flags, *(["--grpc"] if face == "grpc" else [])])

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: --ssl-certificate, --ssl-keyfile: ")
    assert problem in ended.stderr.splitlines()[-1]
