"""Opens the store of actions that run once, for a server that has such an action."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from action_server.errors import DatabaseError, SettingsError
from action_server.extras import packages_for
from action_server.runtime.options import OptionsTable
from action_server.runtime.registry import Registry
from action_server.source import one_line

if TYPE_CHECKING:
    from action_server.idempotency.store import IdempotencyStore


def runs_once(registry: Registry, options: OptionsTable) -> bool:
    """Tell whether there is an action that runs once."""
    return any(options.of(action.name, action.run).idempotent for action in registry)


async def open_store(
    stack: AsyncExitStack, database: str | Path, password: Callable[[], str] | None
) -> IdempotencyStore:
    """Open the store in a database, a file or an URL; it is closed with the stack.

    Raises:
        SettingsError: that cannot be done, or the password cannot be read.
    """
    with packages_for("database"):  # here, as a server without such actions need not pay for SQLAlchemy
        from action_server.idempotency.store import IdempotencyStore

    if password is not None:
        # A file that is not there is named here; later it is one more reason why the database does not answer.
        password()
    try:
        store = await IdempotencyStore.open(database, where="database", password=password)
    except DatabaseError as exc:
        raise SettingsError("database", one_line(exc)) from exc
    stack.push_async_callback(store.close)
    return store
