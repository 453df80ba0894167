"""The SQL of the page makes the tables that the queue expects."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from action_server.delivery.table import metadata as deliveries
from action_server.jobs.table import metadata

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "answer-later.md"


def test_the_page_has_the_tables() -> None:
    """Columns, what may be null, keys and indexes."""
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(sql)
        for table in (*metadata.tables.values(), *deliveries.tables.values()):
            columns = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
            expected = [(c.name, not c.nullable or c.primary_key) for c in table.columns]
            assert [(name, bool(notnull or key)) for _, name, _, notnull, _, key in columns] == expected
            indexes = connection.execute(f"PRAGMA index_list({table.name})").fetchall()
            made = {index[1] for index in indexes if not index[1].startswith("sqlite_autoindex")}
            assert made == {index.name for index in table.indexes}
