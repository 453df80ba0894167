"""What one worker was sent, all workers know; and a domain that is known is not decoded again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from action_server.errors import MissingDomainError
from action_server.protocol import lazy
from action_server.protocol.calls import Call
from action_server.protocol.domain_files import DomainFiles
from action_server.protocol.domains import Domains
from action_server.protocol.lazy import read_call
from tests.processes import server
from tests.projects import project

DOMAIN = {"slots": {"size": {"type": "float"}}, "responses": {"utter_a": [{"text": "Zo\u00eb"}]}}


def call(digest: str, domain: Any = None) -> Call:
    return Call("action_book", "user-1", {}, domain, digest, "3.21.0")


def sent(digest: str | None = "d1", domain: Any = DOMAIN) -> Call:
    tracker = {"sender_id": "s"}
    body = {"next_action": "action_a", "tracker": tracker, "domain": domain, "domain_digest": digest}
    return read_call(json.dumps(body).encode())


def test_a_domain_one_worker_was_sent_the_others_know(tmp_path: Path) -> None:
    """Whether it came as JSON or, over gRPC, as values."""
    one, other = (Domains(2, DomainFiles(tmp_path / "domains", 2)) for _ in range(2))
    one.domain_for(sent("d1"), needed=False)
    one.domain_for(call("d2", {"b": [1.5]}), needed=False)

    assert other.domain_for(call("d1"), needed=True) == {**DOMAIN}
    assert other.domain_for(call("d2"), needed=True) == {"b": [1.5]}
    assert other.domain_for(call("d1"), needed=False) == {}


def test_a_digest_is_no_path(tmp_path: Path) -> None:
    """Whatever a client calls its domain, the file is in the directory."""
    files = DomainFiles(tmp_path / "domains", 9)
    for digest in ("../../escape", "/etc/passwd", "a" * 10_000, "\0", "\ud800", ""):
        files.write(digest, b'{"a": 1}')
        assert files.read(digest) == {"a": 1}

    assert [path.name for path in tmp_path.iterdir()] == ["domains"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=ascii)
def test_a_file_that_is_no_domain_is_none(tmp_path: Path, content: bytes) -> None:
    """The engine is asked then."""
    files = DomainFiles(tmp_path, 2)
    files.write("d1", content)

    assert files.read("d1") is None
    with pytest.raises(MissingDomainError):
        Domains(2, files).domain_for(call("d1"), needed=True)


def test_the_files_are_bounded(tmp_path: Path) -> None:
    """As many as a worker remembers; nothing half-written stays behind."""
    files = DomainFiles(tmp_path, 3)
    for number in range(10):
        files.write(f"d{number}", b"{}")

    assert len(list(tmp_path.iterdir())) == 3
    assert files.read("d9") == {}


def test_a_directory_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    """Each worker then asks for itself."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    domains = Domains(2, DomainFiles(tmp_path / "file" / "domains", 2))

    assert domains.domain_for(sent(), needed=True) == DOMAIN
    assert domains.domain_for(call("d1"), needed=True) == DOMAIN


def test_a_known_domain_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes under the same digest; other bytes replace them."""
    domains = Domains(2)
    domains.domain_for(sent(), needed=True)
    with monkeypatch.context() as patch:
        patch.setattr(lazy, "_decode", None)
        again = domains.domain_for(sent(), needed=True)
        assert domains.domain_for(sent(), needed=False) == {}

    assert again == DOMAIN
    again["slots"].clear()
    assert domains.domain_for(sent(), needed=True) == DOMAIN
    assert domains.domain_for(sent(domain={"new": 1}), needed=True) == {"new": 1}
    assert domains.domain_for(call("d1"), needed=True) == {"new": 1}


def test_a_domain_nobody_reads_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasa Open Source sends it with each call, and no digest."""
    monkeypatch.setattr(lazy, "_decode", None)

    assert Domains(2).domain_for(sent(None), needed=False) == {}


ACTIONS = """
    import os
    from rasa_sdk import Action

    class ActionDomain(Action):
        def name(self):
            return "action_domain"

        def run(self, dispatcher, tracker, domain):
            dispatcher.utter_message(text=str(os.getpid()), json_message=domain)
            return []
"""


async def test_of_two_workers_one_is_sent_the_domain(tmp_path: Path) -> None:
    """After the first exchange nobody answers 449, whichever worker a connection goes to."""
    project(tmp_path, {"actions.py": ACTIONS})
    body = {"next_action": "action_domain", "tracker": {"sender_id": "s"}, "domain_digest": "d1"}
    with server(tmp_path, "--workers", "2") as running:

        async def post(body: dict[str, Any]) -> tuple[int, Any]:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{running.url}/webhook", json=body) as response,
            ):
                return response.status, await response.json()

        assert (await post(body))[0] == 449
        assert (await post({**body, "domain": {"a": 1}}))[0] == 200
        workers: set[str] = set()
        while len(workers) < 2:
            answers = await asyncio.gather(*(post(body) for _ in range(20)))
            assert {status for status, _ in answers} == {200}
            assert all(answer["responses"][0]["custom"] == {"a": 1} for _, answer in answers)
            workers |= {answer["responses"][0]["text"] for _, answer in answers}
