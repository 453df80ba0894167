"""The command line: verbs and exit codes."""

from action_server.cli.command_line import main

__all__ = ["main"]
