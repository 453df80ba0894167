"""The table of engine behaviours as a whole."""

from __future__ import annotations

from tests.action_server.flows.engine import (
    test_assertions,
    test_commands,
    test_conditions,
    test_files,
    test_languages,
    test_parts,
    test_references,
    test_responses,
    test_schemas,
    test_turns,
    test_validation,
    test_values,
)
from tests.action_server.flows.engine.rows import PYPRED, READ, RUN, Row


def test_each_row_says_how_it_is_known() -> None:
    """By version, and whether it was read or run; a name stands once in its table."""
    modules = (
        test_assertions,
        test_commands,
        test_conditions,
        test_files,
        test_languages,
        test_parts,
        test_references,
        test_responses,
        test_schemas,
        test_turns,
        test_validation,
        test_values,
    )
    tables = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, list) and value and isinstance(value[0], Row)
    ]

    assert sum(map(len, tables)) >= 500
    for table in tables:
        assert len({row.name for row in table}) == len(table)
        assert {row.known for row in table} <= {READ, RUN, PYPRED}
