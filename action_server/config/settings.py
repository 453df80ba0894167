"""Every setting of the server: flag, then environment, then ``action_server:`` of endpoints.yml, then default.

The model below, with the groups of fields it is made of, is the only list of them: the flags, ``--help`` and the
reference page are made from it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from action_server.config.checked_fields import CheckedFields
from action_server.config.environment import process_environment
from action_server.config.flags import Flag, add_flag_of, flag_of
from action_server.config.limit_fields import LONGEST, LimitFields
from action_server.config.log_fields import LogFields
from action_server.config.merge import merge
from action_server.config.problems import refuse_incomplete, refuse_useless_flags, settings_error
from action_server.config.server_fields import DEFAULT_ENDPOINTS, ServerFields
from action_server.config.sources import Found, file_exists, find_in_block, find_in_environment
from action_server.endpoints import Endpoints, endpoints_of, read_endpoints
from action_server.errors import SettingsError
from action_server.jobs.engine_settings import DeliverySettings
from action_server.runtime.limits import Limits
from action_server.runtime.options import ActionOptions, OptionsTable
from action_server.runtime.tool_options import McpSettings
from action_server.security.auth import AuthSettings
from action_server.security.secrets import EMPTY, Secrets, one_text
from action_server.telemetry.record_settings import RecordSettings


class Settings(CheckedFields, LimitFields, LogFields, ServerFields, BaseModel):
    """The settings of one server. Sizes are in bytes."""

    # The groups, and what is nested in them, are only built as parts of it: `defer_build` there spares each its own.
    # Pydantic takes the fields of the last group first: flags, help and the reference page have that order.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=False)

    metrics: Annotated[
        bool, Flag(("--metrics",)), Field(description="count calls and answer GET /metrics for Prometheus")
    ] = True
    watchdog: Annotated[
        float,
        Flag(("--watchdog",)),
        Field(
            ge=0,
            le=LONGEST,
            description="name code that keeps the event loop busy for longer than this; 0 switches it off",
        ),
    ] = 0.1
    database: Annotated[
        str | None,
        Flag(("--database",), value="URL"),
        Field(
            description="for actions that run once, and jobs: a file, or an URL of SQLAlchemy; default: in the user's "
            "data folder"
        ),
    ] = None
    database_password: Annotated[
        Secrets, Field(description="password of a PostgreSQL `database`, a text or `file: <path>`; not in the URL then")
    ] = ()
    jobs: Annotated[
        int,
        Flag(("--jobs",)),
        Field(ge=0, le=1000, description="how many jobs each worker runs at once; 0 leaves them to `jobs work`"),
    ] = 4
    delivery: Annotated[
        DeliverySettings,
        Field(description="how results of jobs reach the engine, see `action-server help answer-later`"),
    ] = DeliverySettings()
    record: Annotated[
        Path | None,
        Flag(("--record",), value="FOLDER"),
        Field(description="write calls into this folder, to replay them; masked"),
    ] = None
    record_sample: Annotated[
        float,
        Flag(("--sample",), value="SHARE"),
        Field(gt=0, le=1, description="the part of calls that is recorded, such as 0.1"),
    ] = 1.0
    record_on_error: Annotated[bool, Flag(("--on-error",)), Field(description="record only calls that fail (5xx)")] = (
        False
    )
    record_files: Annotated[
        int, Flag(("--record-files",)), Field(ge=1, description="recorded calls to keep; the oldest go first")
    ] = 1000
    record_mask: Annotated[
        tuple[str, ...],
        Flag(("--record-mask",), value="SLOT"),
        Field(description="slots whose values are hidden in recordings, beside those of `privacy: rules:`"),
    ] = ()
    action_options: Annotated[
        dict[str, ActionOptions],
        Field(description="options of single actions by name or pattern; written `actions:` in endpoints.yml"),
    ] = {}
    auth: Annotated[
        AuthSettings,
        Field(description="credentials that open the server, see `action-server help authenticate`; none: open to all"),
    ] = AuthSettings()
    services: Annotated[
        dict[str, Any],
        # Tokens stand in it.
        Field(repr=False, description="settings of the actions' own services; handed to the package's lifespan"),
    ] = {}
    domain: Annotated[
        Path | None,
        Flag(("--domain",)),
        Field(description="the assistant's domain, a file or folder: types of slots, and responses, of tools"),
    ] = None
    mcp: Annotated[
        McpSettings,
        Field(description="which actions are tools, see `action-server help offer-actions-as-tools`; none: no tools"),
    ] = McpSettings()

    # Not a setting: what `--set` gave of those of the services.
    _given_services: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    # Not a setting: nobody sets blocks by a flag or a variable, they come with the file.
    _blocks: Endpoints = PrivateAttr(default_factory=Endpoints)

    @property
    def blocks(self) -> Endpoints:
        """The blocks of the endpoints file, read together with these settings."""
        return self._blocks

    def with_blocks(self, blocks: Endpoints) -> Settings:
        """Return the same settings with these blocks."""
        changed = self.model_copy()
        changed._blocks = blocks
        return changed

    @property
    def given_services(self) -> Mapping[str, Any]:
        """The services' settings that a flag gave: one of them that no service reads is an error."""
        return self._given_services

    def with_services(self, services: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
        """Return the same settings with these of the services, of which a flag gave ``given``."""
        changed = self.model_copy(update={"services": services})
        changed._given_services = given
        return changed

    def read_database_password(self) -> str:
        """Return the database's password, read from its file if it stands there. Raises :class:`SettingsError`."""
        return one_text(self.database_password, "database_password")

    @property
    def password_reader(self) -> Callable[[], str] | None:
        """What reads the database's password for each new connection; None if it has none of its own."""
        return self.read_database_password if self.database_password else None

    def find_store(self) -> str | Path:
        """Return where actions that run once and jobs are kept: a file, or an URL."""
        from platformdirs import user_data_dir

        if self.database is None:
            return Path(user_data_dir("action-server", appauthor=False)) / "server.sqlite3"
        return self.database if "://" in self.database else Path(self.database)

    @property
    def limits(self) -> Limits:
        """What each worker may do at once."""
        return Limits(self.sync_workers, self.max_domains, self.max_calls, self.max_queue, self.queue_timeout)

    @property
    def options(self) -> OptionsTable:
        """The options of every action."""
        return OptionsTable(ActionOptions(timeout=self.timeout, on_disconnect=self.on_disconnect), self.action_options)

    @property
    def recording(self) -> RecordSettings | None:
        """What is recorded of calls, if anything is."""
        how = (self.record_sample, self.record_on_error, self.record_files, self.record_mask)
        return RecordSettings(self.record, *how) if self.record else None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting that has one, and rasa-sdk's short forms for the log level."""
    for name in Settings.model_fields:
        add_flag(parser, name)
    levels = (("-v", "--verbose", "INFO"), ("-vv", "--debug", "DEBUG"), ("--quiet", "WARNING"))
    for *names, level in levels:
        parser.add_argument(*names, dest="log_level", action="store_const", const=level, help=f"log level {level}")


def add_flag(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the flag of one setting, if it has one."""
    add_flag_of(parser, name, Settings.model_fields[name])


def read(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """Put the settings together. ``flags`` are argparse's, None where a flag was not given.

    ``environment`` are the variables that count; those of this process if it is None.

    Raises:
        SettingsError: an entry is wrong; the message names the flag, the variable or the file's entry.
    """
    variables = process_environment() if environment is None else environment
    given = {name: value for name, value in flags.items() if value is not None and name in Settings.model_fields}
    from_environment = find_in_environment(variables, Settings.model_fields)
    blocks = _read_blocks(given.get("endpoints"), from_environment, variables)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for found in (find_in_block(blocks.action_server, Settings.model_fields), from_environment):
        for name, (origin, value) in found.items():
            values[name] = merge(values.get(name), value)
            origins[name] = origin
    for name, value in given.items():
        values[name] = value
        flag = flag_of(Settings.model_fields[name])
        origins[name] = next((word for word in flag.names if word.startswith("--")), name) if flag else name
    if values.get("dev") in (True, "true", "1"):
        values = {"log_level": "DEBUG", **values, "auto_reload": True}
    try:
        settings = Settings(**values).with_blocks(blocks)
    except ValidationError as exc:
        raise settings_error(exc, Settings.model_fields, origins) from None
    refuse_incomplete(settings, origins)
    refuse_useless_flags(settings, {name: origins[name] for name in given})
    return settings


def _read_blocks(flag: Any, from_environment: Found, environment: Mapping[str, str]) -> Endpoints:
    """Read the file that a flag or a variable names; the default one may be missing."""
    origin, path = ("--endpoints", flag) if flag is not None else from_environment.get("endpoints", ("", None))
    if path is not None:
        _refuse_no_file(origin, path)
    file = Path(DEFAULT_ENDPOINTS) if path is None else Path(path)
    # A link to nothing is a file that should be there: a volume, say, that was not mounted.
    is_there = file_exists(file) or os.path.islink(file)
    return read_endpoints(file, environment) if is_there else endpoints_of(None, str(file), environment)


def _refuse_no_file(origin: str, path: str | Path) -> None:
    if path == "":
        raise SettingsError(origin, EMPTY)
    if not file_exists(Path(path)):
        raise SettingsError(origin, f"there is no file {path}")
    if Path(path).is_dir():
        raise SettingsError(
            origin, f"{path} is a folder: name the file in it, such as {Path(path) / DEFAULT_ENDPOINTS}"
        )
