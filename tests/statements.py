"""What the program asks its databases: statements as they are executed, and how a database would find their rows."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, event, text

# Nodes of PostgreSQL's plans that read a table, or an index of it.
_READERS = frozenset({"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan"})


@dataclass
class Statements:
    """The statements that were executed, each text with the parameters of its first time."""

    found: dict[str, Any] = field(default_factory=dict)

    def note(
        self, _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, many: bool
    ) -> None:
        """Take note of one; SQLAlchemy's event `before_cursor_execute`."""
        # An INSERT of values looks for nothing but its own keys.
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            self.found.setdefault(statement, parameters[0] if many else parameters)


@contextmanager
def statements_of_this_process() -> Iterator[Statements]:
    """Collect what any engine executes within the block."""
    statements = Statements()
    event.listen(Engine, "before_cursor_execute", statements.note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", statements.note)


def large_reads(connection: Connection, statement: str, parameters: Any, most: int) -> list[str]:
    """Say where a statement reads more than so many rows of a table: all of them, or those of an index that fits badly.

    SQLite says only how it would look (a scan is named whatever it reads); PostgreSQL executes the statement, and the
    caller undoes it. So the tables have to be filled, and PostgreSQL's have to be analysed.
    """
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        # "SCAN (subquery-1)" and that of a part with a name read what another line has found.
        parts = {name for names in re.findall(r"(\w+) AS\s+\(SELECT|\)\s+AS (\w+)", statement) for name in names}
        return [detail for *_, detail in plan if detail.startswith("SCAN ") and not _is_of_the_plan(detail, parts)]
    [plan] = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalars()
    return list(_large_nodes(plan[0]["Plan"], most))


def is_used(connection: Connection, index: str, statement: str, parameters: Any) -> bool:
    """Say whether a statement's plan names the index."""
    how = "QUERY PLAN" if connection.dialect.name == "sqlite" else "(COSTS off)"
    return any(index in str(row) for row in connection.exec_driver_sql(f"EXPLAIN {how} {statement}", parameters))


def analyse(connection: Connection) -> None:
    """Let PostgreSQL know how many rows there are; SQLite plans without."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE"))


def _is_of_the_plan(detail: str, parts: Collection[str]) -> bool:
    name = detail.removeprefix("SCAN ").split()[0]
    return name in parts or name.startswith(("(", "anon_", "CONSTANT"))


def _large_nodes(node: dict[str, Any], most: int) -> Iterator[str]:
    if node["Node Type"] in _READERS:
        read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        if read > most:
            yield f"{node['Node Type']} of {node.get('Relation Name')} by {node.get('Index Name')}: {read:.0f} rows"
    for child in node.get("Plans", ()):
        yield from _large_nodes(child, most)


class MachineSteps:
    """How many instructions SQLite's virtual machine has taken, of databases opened within :func:`machine_steps`."""

    def __init__(self) -> None:
        self.count = 0

    def note(self) -> int:
        """Count one; called by SQLite, which goes on after a 0."""
        self.count += 1
        return 0

    async def of(self, operation: Callable[[], Awaitable[object]]) -> int:
        """Return how many an operation takes."""
        before = self.count
        await operation()
        return self.count - before


@contextmanager
def machine_steps() -> Iterator[MachineSteps]:
    """Count the steps of every SQLite connection that is opened within the block, for as long as it lives."""
    steps = MachineSteps()

    def watch(connection: Any, _entry: object) -> None:
        connection.driver_connection._conn.set_progress_handler(steps.note, 1)

    event.listen(Engine, "connect", watch)
    try:
        yield steps
    finally:
        event.remove(Engine, "connect", watch)
