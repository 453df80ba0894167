"""A stand-in for the providers of models: it keeps what it is sent and asks for one tool after another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from benchmarks.clients.formats import Call, Format, Json, format_of


@dataclass
class Kept:
    """What one client sent: the tools of its last request that had any, and what that showed of each call, in order."""

    schemas: dict[str, Json] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    has_nullable: bool = False


def name_of(tool: str, offered: Iterable[str]) -> str | None:
    """Return the name that a client offers a tool under, None if it does not; some put the server's name before it."""
    names = sorted(offered, key=len)
    return next((name for name in names if name == tool or name.endswith((f"_{tool}", f"-{tool}"))), None)


@dataclass
class Provider:
    """The stand-in. A client's plan is played by the number of answers that its request holds; nothing else is kept."""

    plans: dict[str, Sequence[tuple[str, Json]]] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=lambda: defaultdict(Kept))
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Keep a request, and ask for the next tool of its client's plan, or end."""
        client, path = request.match_info["client"], request.path
        found = None if "/refused" in path else format_of(path)
        if found is None:
            return web.json_response({"error": {"message": f"no model at {path}", "code": 503}}, status=503)
        return web.json_response(self._next(client, found, await request.json()))

    def _next(self, client: str, spoken: Format, body: Json) -> Json:
        kept, plan = self.kept[client], self.plans[client]
        # Some offer none when a number of calls is reached, so that the model has to end.
        kept.schemas, kept.answers = spoken.schemas(body) or kept.schemas, spoken.answers(body)
        kept.has_nullable = spoken.has_nullable
        number = len(kept.answers)
        if number >= len(plan):
            return spoken.end
        tool, arguments = plan[number]
        return spoken.ask(Call(number, name_of(tool, kept.schemas) or tool, arguments))


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run the stand-in on a free port within the block; a client's address is ``<url>/<client>``."""
    made = Provider()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/{client}/{rest:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()
