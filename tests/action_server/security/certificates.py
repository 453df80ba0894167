"""Certificates that the openssl command line makes for the tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "opensesame-4711"
_PATIENCE = 10

# Everything Python 3.13 asks of a chain: it checks strictly by default (RFC 5280).
CA_EXTENSIONS = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF_EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
    "authorityKeyIdentifier=keyid\nsubjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n"
)


@dataclass(frozen=True)
class Files:
    """A folder of certificates: two CAs, a server and clients of each."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=_PATIENCE)  # noqa: S607

    def make_ca(self, name: str) -> None:
        self.make_request(name)
        self.sign(name, CA_EXTENSIONS, "-signkey", f"{name}.key")

    def make_leaf(self, name: str, ca: str) -> None:
        self.make_request(name)
        self.sign(name, LEAF_EXTENSIONS, "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial")

    def make_request(self, name: str) -> None:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        self.openssl(
            "req", "-new", *curve, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )

    def sign(self, name: str, extensions: str, *signer: str) -> None:
        self[f"{name}.ext"].write_text(extensions)
        self.openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-out",
            f"{name}.pem",
            "-days",
            "2",
            "-extfile",
            f"{name}.ext",
            *signer,
        )


def make_files(folder: Path) -> Files:
    """Make two CAs, a server, a client of each, and what is broken, in a folder."""
    made = Files(folder)
    for ca in ("ca", "other-ca"):
        made.make_ca(ca)
    for leaf, ca in (("server", "ca"), ("client", "ca"), ("wrong-client", "other-ca")):
        made.make_leaf(leaf, ca)
    made.openssl("ec", "-aes256", "-passout", f"pass:{PASSWORD}", "-in", "server.key", "-out", "locked.key")
    # As OpenSSL wrote it before version 1.0: the algorithm stands in lines above the key.
    made.openssl("ec", "-aes256", "-passout", f"pass:{PASSWORD}", "-in", "server.key", "-out", "old-locked.key")
    made["both.pem"].write_bytes(made["server.pem"].read_bytes() + made["server.key"].read_bytes())
    made["cas.pem"].write_bytes(made["ca.pem"].read_bytes() + made["other-ca.pem"].read_bytes())
    made["garbage.pem"].write_text("garbage\n")
    made["broken.pem"].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    made["broken.key"].write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    return made
