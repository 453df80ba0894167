"""What the doctor sees of a real proxy in front of a running server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from action_server.findings.finding import Finding
from tests.action_server.doctor.bots import examine_bot, ids
from tests.action_server.doctor.test_probes import http_server
from tests.processes import server
from tests.projects import GREET, project
from tests.proxies.proxies import KINDS, proxy_process
from tests.proxies.test_replicas import require

TOOLS = {"mcp": {"actions": ["action_greet"]}}
# What is changed in nginx's printed file, and what is found then.
CHANGES: list[tuple[str, tuple[str, str], str, str]] = [
    (
        "its limit of bodies by default",
        ("client_max_body_size 32m;", ""),
        "proxy-body-size",
        "refused on its way (413)",
    ),
    (
        "ids of its own",
        ('Connection "";', 'Connection ""; proxy_set_header X-Request-ID $request_id;'),
        "proxy-request-id",
        "has another one",
    ),
    ("no ids", ('Connection "";', 'Connection ""; proxy_hide_header X-Request-ID;'), "proxy-request-id", "has none"),
    ("calls of actions alone", ("location / {", "location /mcp { return 404; } location / {"), "proxy-mcp", "with 404"),
    (
        "another name than the tools know",
        ("proxy_set_header Host $http_host;", "proxy_set_header Host bot.example;"),
        "proxy-mcp",
        "with 403",
    ),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server with a tool."""
    folder = project(tmp_path_factory.mktemp("served"), {"actions.py": GREET})
    (folder / "endpoints.yml").write_text("action_server: {mcp: {actions: [action_greet]}}\n", encoding="utf-8")
    with server(folder) as running:
        yield int(running.url.rpartition(":")[2])


@contextmanager
def behind(name: str, port: int, folder: Path, *changes: tuple[str, str]) -> Iterator[str]:
    require(name)
    # Proxies may give up root's rights.
    folder.chmod(0o755)
    with proxy_process(KINDS[name], [port, port], folder / "proxy", changes=changes) as (url, _):
        yield url


def ask(folder: Path, url: str, flags: Mapping[str, Any] | None = None) -> list[Finding]:
    content = {"action_endpoint": {"url": f"{url}/webhook"}, "action_server": TOOLS}
    return examine_bot(folder, content, flags={"port": 0, **(flags or {})}, online=True, patience=30)


@pytest.mark.parametrize("name", KINDS)
def test_behind_a_printed_configuration_nothing_is_found(port: int, folder: Path, tmp_path: Path, name: str) -> None:
    """Large bodies, tools and ids come through."""
    with behind(name, port, tmp_path) as url:
        assert ask(folder, url) == []


@pytest.mark.parametrize(("change", "rule", "words"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_a_proxy_refuses_or_changes_is_found(
    port: int, folder: Path, tmp_path: Path, change: tuple[str, str], rule: str, words: str
) -> None:
    """As the engine would meet it."""
    with behind("nginx", port, tmp_path, change) as url:
        (finding,) = ask(folder, url)

    assert finding.rule.id == rule
    assert words in finding.message


def test_a_limit_of_caddys_is_found_by_what_is_sent(port: int, folder: Path, tmp_path: Path) -> None:
    """It looks at no length, and counts what arrives."""
    with behind("caddy", port, tmp_path, ("max_size 32MB", "max_size 1MB")) as url:
        (finding,) = ask(folder, url)

    assert (finding.rule.id, finding.severity) == ("proxy-body-size", "warning")


def test_actions_that_may_take_longer_than_a_proxy_waits_are_noted(port: int, folder: Path, tmp_path: Path) -> None:
    """What it is set to nobody sees; what it is by default is known by its name."""
    with behind("nginx", port, tmp_path) as url:
        (finding,) = [found for found in ask(folder, url, {"timeout": 61}) if found.rule.id != "timeout-lock"]

    assert (finding.rule.id, finding.severity) == ("proxy-timeout", "note")
    assert finding.message.startswith("nginx is on the way, which gives up after 60 s")
    assert "61 s" in finding.message
    assert "proxy_read_timeout" in finding.fix


class Refusing(BaseHTTPRequestHandler):
    """Hangs up on what is large, as firewalls do."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID", ""))
        self.end_headers()

    def do_POST(self) -> None:
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_who_hangs_up_on_a_large_request_is_found(folder: Path) -> None:
    """There is no answer then, and no reason."""
    with http_server(Refusing) as url:
        content = {"action_endpoint": {"url": f"{url}/webhook"}}
        found = examine_bot(folder, content, flags={"port": 0}, online=True)

    assert ids(found) == ["proxy-body-size"]
    assert "the connection is closed" in found[0].message


def test_a_lower_limit_of_the_running_server_is_told_as_its_own(folder: Path) -> None:
    """The settings here are not those of the server that runs."""
    project(folder, {"actions.py": GREET})
    with server(folder, "--max-request-bytes", "1000000") as running:
        found = examine_bot(
            folder, {"action_endpoint": {"url": f"{running.url}/webhook"}}, flags={"port": 0}, online=True
        )

    assert ids(found) == ["proxy-body-size"]
    assert "by the server itself" in found[0].message
