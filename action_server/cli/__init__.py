"""The command line: verbs and exit codes."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; 130 after Ctrl-C, also while it is still being loaded."""
    try:
        from action_server.cli import command_line

        return command_line.main(arguments)
    except KeyboardInterrupt:
        return 130
