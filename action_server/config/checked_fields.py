"""What the values of single settings have to be, beyond their types."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import BaseModel, field_validator

from action_server.config.sources import OF_TLS
from action_server.database_urls import problem_of
from action_server.security.secrets import EMPTY, refuse_nothing

_FILES_AND_PLACES = ("host", "endpoints", "log_file", "logging_config_file", "record", "domain", "database")
_NEVER_EMPTY = (*_FILES_AND_PLACES, *OF_TLS, "auth")


class CheckedFields(BaseModel):
    """The checks of the settings' fields; :class:`action_server.config.settings.Settings` has the fields."""

    @field_validator("actions", check_fields=False)
    @classmethod
    def _is_in_dots(cls, value: str) -> str:
        if "/" in value or not all(part.isidentifier() for part in value.split(".")):
            raise ValueError("must be a module in Python's notation, such as actions or bot.actions")
        return value

    @field_validator(*_NEVER_EMPTY, mode="before", check_fields=False)
    @classmethod
    def _is_not_empty(cls, value: object) -> object:
        # As of a variable of the shell that is not set, or a template whose values are missing. Every address would be
        # listened on, the working directory used, the server be open, or speak plain text.
        if value in ("", {}):
            raise ValueError(EMPTY)
        return refuse_nothing(value)

    @field_validator("database", check_fields=False)
    @classmethod
    def _can_be_opened(cls, value: str | None) -> str | None:
        # Opened where an action runs once: without one nobody would hear of it, and `doctor` does not open it.
        problem = None if value is None else problem_of(value)
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator("max_blocked", check_fields=False)
    @classmethod
    def _is_no_moment(cls, value: float) -> float:
        if 0 < value < 1:
            raise ValueError("must be 0 or at least 1: a worker that is only busy would be killed, one after the other")
        return value

    @field_validator("log_level", "log_level_libraries", mode="before", check_fields=False)
    @classmethod
    def _is_a_level(cls, value: object) -> object:
        level = str(value).upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return level

    @field_validator("log_levels", mode="before", check_fields=False)
    @classmethod
    def _are_levels(cls, value: object) -> object:
        return {name: cls._is_a_level(level) for name, level in value.items()} if isinstance(value, dict) else value

    @field_validator("cors", "trusted_proxies", "record_mask", mode="before", check_fields=False)
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value

    @field_validator("trusted_proxies", check_fields=False)
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError("must be addresses or networks, such as 127.0.0.1 or 10.0.0.0/8") from None
        return value
