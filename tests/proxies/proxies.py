"""Real proxies in front of real replicas, with the configurations of ``deploy/proxies`` as they are printed there.

Only addresses are replaced: of the proxy, and of the two replicas. The proxies come from Debian by their names.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

CONFIGURATIONS = Path(__file__).parents[2] / "deploy" / "proxies"
PATIENCE = 30
_APACHE_MODULES = Path("/usr/lib/apache2/modules")


@dataclass(frozen=True)
class Kind:
    """A proxy: its program, its Debian package, its files in ``deploy/proxies`` for HTTP and, if fit, for gRPC.

    ``command`` writes a configuration into a file and returns how the program is started with it; ``text`` is the
    configuration of one that has no file there.
    """

    name: str
    program: str
    package: str
    file: str
    grpc_file: str
    command: Callable[[Path, str, Path], list[str]] | None = None
    text: str = ""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("nginx", "nginx", "nginx-light", "nginx.conf", "nginx-grpc.conf"),
        Kind("haproxy", "haproxy", "haproxy", "haproxy.cfg", "haproxy-grpc.cfg"),
        Kind("apache", "apache2", "apache2", "apache.conf", ""),
        Kind("caddy", "caddy", "caddy", "Caddyfile", "Caddyfile-grpc"),
    )
}


def tls_changes(name: str, ca: Path) -> list[tuple[str, str]]:
    """Return what docs/howto/behind-a-proxy.md changes in a proxy's file where replicas speak TLS.

    ``ca`` is the file with the certificate of who issued theirs. Names are checked as well.
    """
    changes = {
        "nginx": (
            "proxy_pass http://action_server;",
            f"proxy_pass https://action_server; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; "
            "proxy_ssl_name localhost;",
        ),
        "haproxy": (
            "default-server check",
            f"default-server ssl verify required ca-file {ca} verifyhost localhost check",
        ),
        "apache": (
            # Otherwise the name that is checked is the one the caller gave.
            "ProxyPreserveHost On",
            f"SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile {ca}",
        ),
        "caddy": ("transport http {", f"transport http {{\n\t\t\ttls_trusted_ca_certs {ca}"),
    }
    addresses = {
        "apache": [(f'"http://127.0.0.1:{port}"', f'"https://localhost:{port}"') for port in (5055, 5056)],
        "caddy": [("127.0.0.1:5055 127.0.0.1:5056", "https://localhost:5055 https://localhost:5056")],
    }
    return [changes[name], *addresses.get(name, [])]


def missing(kind: Kind) -> str:
    """Say how to install a proxy that is not there; empty if it is."""
    found = shutil.which(kind.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return "" if found else f"{kind.program} is missing: apt-get install {kind.package}"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def proxy(kind: Kind, replicas: Sequence[int], folder: Path, *, speaks_grpc: bool = False) -> Iterator[str]:
    """Run a proxy in front of two ports within the block; gives its URL once it answers."""
    with proxy_process(kind, replicas, folder, speaks_grpc=speaks_grpc) as (url, _):
        yield url


@contextmanager
def proxy_process(
    kind: Kind,
    replicas: Sequence[int],
    folder: Path,
    *,
    speaks_grpc: bool = False,
    changes: Sequence[tuple[str, str]] = (),
    probe: str = "/ready",
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run a proxy as :func:`proxy` does; gives its URL, and what makes it read its configuration again.

    ``changes`` are words of the configuration and what stands there instead, beside the addresses; ``probe`` is the
    path that a replica answers when it can be called.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    name = kind.grpc_file if speaks_grpc else kind.file
    text = kind.text or (CONFIGURATIONS / name).read_text(encoding="utf-8")
    for printed, used in (*changes, ("8080", port), ("5055", replicas[0]), ("5056", replicas[1])):
        assert printed in text, f"{name} has no {printed}"
        text = text.replace(printed, str(used))
    command = _command(kind, text, folder / name)
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    try:
        url = f"http://127.0.0.1:{port}"
        _await(_answers_grpc if speaks_grpc else partial(_answers, probe), url, process, folder / "proxy.log")
        yield url, lambda: _reload(kind, process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(kind: Kind, text: str, file: Path) -> list[str]:
    """Write the configuration, with what only a test needs around it, and return how the proxy is started with it."""
    folder = file.parent
    program = shutil.which(kind.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or kind.program
    if kind.command is not None:
        return kind.command(Path(program), text, file)
    if kind.name == "nginx":
        temporary = "".join(
            f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        file.write_text(text.replace("http {\n", f"http {{\n    access_log off;\n{temporary}", 1), encoding="utf-8")
        around = f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;"
        return [program, "-p", str(folder), "-c", str(file), "-g", around]
    if kind.name == "apache":
        modules = [
            *("mpm_event", "authz_core", "slotmem_shm", "proxy", "proxy_http", "proxy_balancer", "proxy_hcheck"),
            *("lbmethod_bybusyness", "headers", "http2", "proxy_http2", "socache_shmcb", "ssl"),
        ]
        loads = "".join(f"LoadModule {name}_module {_APACHE_MODULES}/mod_{name}.so\n" for name in modules)
        around = (
            f"ServerRoot {folder}\nServerName localhost\nPidFile {folder}/apache.pid\nErrorLog {folder}/error.log\n"
        )
        around += (
            f"DefaultRuntimeDir {folder}\nUser root\nGroup root\n" if os.getuid() else f"DefaultRuntimeDir {folder}\n"
        )
        around += "User www-data\nGroup www-data\n" if not os.getuid() else ""
        file.write_text(loads + around + text, encoding="utf-8")
        return [program, "-f", str(file), "-DFOREGROUND"]
    file.write_text(text, encoding="utf-8")
    if kind.name == "haproxy":
        # A master process, as Debian's service has one: it can read its configuration again.
        return [program, "-W", "-f", str(file), "-p", str(folder / "haproxy.pid")]
    return [program, "run", "--config", str(file), "--adapter", "caddyfile"]


def _reload(kind: Kind, process: subprocess.Popen[bytes]) -> None:
    """Have the proxy read its configuration again, as its package does it; Caddy's has no way with ``admin off``."""
    process.send_signal({"nginx": signal.SIGHUP, "apache": signal.SIGUSR1, "haproxy": signal.SIGUSR2}[kind.name])


def _await(answers: Callable[[str], bool], url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the proxy ended: {log.read_text(errors='replace')}"
        if answers(url):
            return
        time.sleep(0.05)
    raise AssertionError(f"the proxy does not answer: {log.read_text(errors='replace')}")


def _answers(probe: str, url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}{probe}", timeout=2) as response:  # noqa: S310 (our own proxy)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _answers_grpc(url: str) -> bool:
    with grpc.insecure_channel(url.removeprefix("http://")) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
    return True
