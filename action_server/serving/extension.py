"""What a higher room adds to the server of each worker: routes, and whatever belongs to them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from action_server.assembly import Assembly
    from action_server.serving.http.app import SanicApp

# Where its pages are; told when the server is ready.
PATH = "/inspector"


class Extension(Protocol):
    """A function of a module, as it is handed to processes by its name."""

    def __call__(
        self, assembly: Assembly, app: SanicApp, shared_directory: Path | None
    ) -> AbstractAsyncContextManager[None]:
        """Add to the app before it serves, for as long as the block lasts."""
        ...
