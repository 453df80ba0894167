"""Three replicas that share a PostgreSQL database are replaced one after the other, and nobody notices."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

from tests.processes import ServerProcess, server
from tests.projects import project
from tests.proxies.load import AS_A_TOOL, MARKING, call_while
from tests.proxies.proxies import KINDS, free_port, proxy_process
from tests.proxies.test_replicas import DRAIN_DELAY, require

pytest_plugins = ["tests.databases"]

# Runs once for each conversation: whoever starts looks for the answer in the database, which all replicas share.
ONCE = MARKING.replace("import os\n", "import os\n    from action_server import idempotent\n").replace(
    "    class ActionMark", "    @idempotent\n    class ActionMark"
)


class Rollout:
    """Replicas on ports of their own, each replaced by a new one when it is told so."""

    def __init__(self, folder: Path, flags: tuple[str, ...], stack: ExitStack) -> None:
        self._folder, self._flags, self._stack = folder, flags, stack
        self._variables = {"MARKS": str(folder / "marks")}
        self.ports = [free_port() for _ in range(3)]
        self._running = [self._start(port) for port in self.ports]

    async def replace_all(self) -> None:
        """Stop one, wait for its end, start a new one in its place, wait until that is ready; then the next one."""
        for index, port in enumerate(self.ports):
            assert await asyncio.to_thread(self._running[index].stop, signal.SIGTERM) == 0
            self._running[index] = await asyncio.to_thread(self._start, port)

    def _start(self, port: int) -> ServerProcess:
        flags = ("--actions", "actions", "--drain-delay", DRAIN_DELAY, "--port", str(port), *self._flags)
        return self._stack.enter_context(server(self._folder, *flags, variables=self._variables))


def test_three_replicas_on_postgresql_are_replaced_under_load_and_no_call_is_lost(
    tmp_path: Path, empty_postgresql: str
) -> None:
    """Every call is answered, and was carried out once, while each replica leaves and a new one comes."""
    require("haproxy")
    tmp_path.chmod(0o755)
    project(tmp_path, {"actions.py": ONCE, "endpoints.yml": AS_A_TOOL})
    with ExitStack() as stack:
        rollout = Rollout(tmp_path, ("--database", empty_postgresql), stack)
        third = (
            "server two 127.0.0.1:5056",
            f"server two 127.0.0.1:5056\n    server three 127.0.0.1:{rollout.ports[2]}",
        )
        behind = proxy_process(KINDS["haproxy"], rollout.ports[:2], tmp_path / "proxy", changes=(third,))
        url, _ = stack.enter_context(behind)
        books = asyncio.run(call_while(url, tmp_path / "marks", rollout.replace_all))

    assert books.answered
    assert (books.refused, books.doubled, books.lost) == ({}, [], [])
