"""Examines a server, ours or not, at an address or made here of a package: which requirements it keeps."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from action_server.assembly import Assembly, assemble
from action_server.config.settings import Settings
from action_server.project.domain import Domain
from action_server.security.auth import AuthSettings
from action_server.serving.server import listen
from action_server.serving.worker import serve_http
from action_server.testing import answers, probes
from action_server.testing import requirements as must
from action_server.testing.answers import Answered
from action_server.testing.examined_server import HttpReply, Server, webhook_url
from action_server.testing.requirements import Requirement, Violation
from action_server.testing.same_answers import Faces
from action_server.testing.server_access import Access
from action_server.testing.tested_project import TestedProject, fresh_database
from action_server.testing.trackers import begin, call_of, learn_slots
from action_server.webhook_client import open_session


@dataclass(frozen=True)
class Request:
    """What is to be examined: ``actions`` are called, None for all that are listed; of ``once`` repeats are asked for.

    ``version`` is that of the engine whose rules count.
    """

    project: TestedProject
    slots: Mapping[str, Any] = field(default_factory=dict)
    actions: Sequence[str] | None = None
    once: Sequence[str] = ()
    access: Access = field(default_factory=Access)
    version: str = "3.21.0"


@dataclass
class Report:
    """What was found: the requirements that were looked at, and what is not kept of them."""

    target: str
    called: list[str] = field(default_factory=list)
    checked: set[Requirement] = field(default_factory=set)
    violations: list[Violation] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts: every requirement with its sentence, whether it is kept, and its problems."""
        return {
            "target": self.target,
            "called": self.called,
            "violations": len(self.violations),
            "requirements": [
                {
                    "id": one.id,
                    "sentence": one.sentence,
                    "result": self.result_of(one),
                    "problems": [{"action": v.action, "problem": v.problem} for v in self.problems_of(one)],
                }
                for one in must.ALL
            ],
        }

    def result_of(self, requirement: Requirement) -> str:
        """Return `broken`, `kept` or `not checked`."""
        if self.problems_of(requirement):
            return "broken"
        return "kept" if requirement in self.checked else "not checked"

    def problems_of(self, requirement: Requirement) -> list[Violation]:
        """Return what is not kept of a requirement, each once."""
        return list(dict.fromkeys(v for v in self.violations if v.requirement == requirement))


async def examine_url(url: str, request: Request) -> Report:
    """Examine the server at an address. Its actions are called, each once and more: it should be one for tests.

    Raises:
        SettingsError: a file of TLS cannot be used.
        UnreachableError: nothing answers there.
    """
    async with open_session(request.access.context()) as session:
        server = Server(webhook_url(url), session, request.access.headers)
        return await _Examination(server, request).run()


async def examine_package(settings: Settings, request: Request) -> Report:
    """Examine a package of actions: a server is made of it for as long, on a free port of this host.

    Raises:
        StartupError: an action or a service cannot be made.
    """
    async with served_here(settings) as (url, assembly):
        report = await examine_url(url, request)
        async with Faces(assembly) as faces:
            for name in report.called:
                report.violations += [v async for v in faces.differing(call_in_first_turn(request, name))]
    report.target = settings.actions
    return report


@asynccontextmanager
async def served_here(settings: Settings) -> AsyncIterator[tuple[str, Assembly]]:
    """Serve a package on a free port of this host within the block, without credentials.

    Gives the webhook's address, and the open actions.
    """
    with TemporaryDirectory(prefix="action-server-") as folder:
        own = {"host": "127.0.0.1", "port": 0, "auth": AuthSettings(), **fresh_database(folder)}
        plain = {
            "ssl_certificate": None,
            "ssl_keyfile": None,
            "ssl_password": None,
            "ssl_ca_file": None,
            "grpc": False,
            "record": None,
        }
        async with assemble(settings.model_copy(update={**own, **plain, "drain_delay": 0.0})) as assembly:
            sock = listen("127.0.0.1", 0)
            name = f"served_here_{uuid4().hex}"
            async with serve_http(assembly, sock, name, only_one=False):
                yield f"http://127.0.0.1:{sock.getsockname()[1]}/webhook", assembly


def call_in_first_turn(request: Request, name: str) -> dict[str, Any]:
    """Return the call of an action in the first turn of a conversation of its own."""
    project = request.project
    state = begin(project, f"contract-{uuid4().hex[:12]}", time.time)
    learn_slots(project, state, request.slots)
    for slot, value in request.slots.items():
        state.add({"event": "slot", "name": slot, "value": value})
    return call_of(name, state, project, request.version)


def judged_of(request: Request) -> set[Requirement]:
    """Return the requirements that each answer is judged by."""
    # Whether two answers are the same is asked only of actions that run once; names only where there is a domain.
    project, domain = request.project, request.project.domain
    named = {must.SLOTS_KNOWN: project.knows_slots, must.SLOTS_FIT: project.knows_slots}
    named |= {must.RESPONSES_KNOWN: bool(domain.responses), must.FOLLOWUPS_KNOWN: bool(domain.actions)}
    unknown = {requirement for requirement, is_known in named.items() if not is_known}
    return set(must.OF_ANSWERS) - {must.SAME_AGAIN} - unknown


class _Examination:
    def __init__(self, server: Server, request: Request) -> None:
        self._server = server
        self._request = request
        self._report = Report(server.url)

    async def run(self) -> Report:
        await self._take(probes.pages(self._server), must.HEALTH, must.LISTED, must.NOT_FOUND)
        listed = probes.names_in(await self._server.get("actions")) or []
        names = listed if self._request.actions is None else self._request.actions
        call = call_in_first_turn(self._request, names[0] if names else probes.UNKNOWN)
        await self._take(
            probes.unknown_action(self._server, call), must.UNKNOWN_ACTION, must.COMPRESSION, must.NO_ACTION
        )
        await self._take(probes.malformed(self._server, call), must.MALFORMED, must.NOTHING_SECRET)
        self._report.checked |= {must.CONTENT_TYPE, must.STRICT_JSON}
        answering = [name for name in names if await self._call_action(name)]
        if answering:
            await self._take(
                probes.two_domains(self._server, call_in_first_turn(self._request, answering[0])), must.TWO_DOMAINS
            )
        for name in self._request.once:
            await self._ask_again(name)
        return self._report

    async def _take(self, found: AsyncIterator[Violation], *checked: Requirement) -> None:
        self._report.violations += [violation async for violation in found]
        self._report.checked |= set(checked)

    async def _call_action(self, name: str) -> bool:
        """Call an action and judge what it answers; tell whether it answered 200."""
        call = call_in_first_turn(self._request, name)
        reply, held_up = await probes.call_beside_health(self._server, json.dumps(call, default=str).encode())
        self._report.called.append(name)
        found = [Violation(v.requirement, v.problem, name) for v in probes.of_form(reply)]
        if held_up:
            found.append(Violation(must.CONCURRENCY, f"/health waited for its {reply.seconds:.1f} s", name))
        if reply.status >= 400:
            # Another conversation: what runs once is not asked for twice.
            again = call_in_first_turn(self._request, name)
            found += [
                Violation(v.requirement, v.problem, name)
                async for v in probes.deflated_error(self._server, again, reply)
            ]
        if reply.is_json:
            found += answers.violations(self._answered(name, call, reply))
        self._report.violations += found
        self._report.checked |= {*judged_of(self._request), must.CONCURRENCY}
        return reply.status == 200

    async def _ask_again(self, name: str) -> None:
        body = json.dumps(call_in_first_turn(self._request, name), default=str).encode()
        first, second = await self._server.post(body), await self._server.post(body)
        self._report.checked.add(must.SAME_AGAIN)
        if (first.status, first.body) != (second.status, second.body):
            self._report.violations.append(Violation(must.SAME_AGAIN, "the second answer is another one", name))

    def _answered(self, name: str, call: Mapping[str, Any], reply: HttpReply) -> Answered:
        domain: Domain = self._request.project.domain
        return Answered(name, reply.status, reply.body, call, domain, self._request.version)
