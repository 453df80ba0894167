"""Plays a conversation with a project's flows, turn by turn."""
