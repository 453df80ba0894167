"""Commands that are given beforehand, turn by turn: what tests say that the user meant."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from action_server.errors import ScriptEndedError
from action_server.flows.commands.port import CannotHandle, Command, DialogueView, Understood


class Scripted:
    """Gives each message the next commands of a script, or those written for its very words.

    ``turns`` are commands in the order of the messages; ``by_message`` are commands by text, which go first.
    """

    def __init__(
        self,
        turns: Iterable[Sequence[Command]] = (),
        by_message: Mapping[str, Sequence[Command]] | None = None,
    ) -> None:
        self._turns = deque(tuple(turn) for turn in turns)
        self._by_message = dict(by_message or {})

    async def understand(self, view: DialogueView) -> Understood:
        """Return the next commands.

        Raises:
            ScriptEndedError: there are none left.
        """
        if view.message in self._by_message:
            return Understood(tuple(self._by_message[view.message]), "the script has commands for these words")
        if not self._turns:
            raise ScriptEndedError(view.message)
        commands = self._turns.popleft()
        return Understood(commands or (CannotHandle(),), "the script says so")
