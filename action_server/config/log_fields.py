"""The settings of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from action_server.config.flags import Flag
from action_server.telemetry.logs import LogFormat, LogSettings


class LogFields(BaseModel):
    """What is logged, how it looks and where it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    log_level: Annotated[
        str, Flag(("--log-level",)), Field(description="DEBUG, INFO, WARNING or ERROR; -v, -vv and --quiet set it too")
    ] = "INFO"
    log_level_libraries: Annotated[
        str,
        Flag(("--log-level-libraries",), "LOG_LEVEL_LIBRARIES"),
        Field(description="the level of Sanic, SQLAlchemy and other libraries"),
    ] = "ERROR"
    log_levels: Annotated[
        dict[str, str], Field(description="levels of single loggers by name, such as `my.bot: DEBUG`")
    ] = {}
    log_format: Annotated[
        LogFormat, Flag(("--log-format",)), Field(description="console for people, json for machines")
    ] = "console"
    log_file: Annotated[Path | None, Flag(("--log-file",)), Field(description="write the log to this file as well")] = (
        None
    )
    logging_config_file: Annotated[
        Path | None,
        Flag(("--logging-config_file", "--logging-config-file")),
        Field(description="a YAML file for Python's logging.config, instead of the --log-... settings"),
    ] = None

    @property
    def logs(self) -> LogSettings:
        """How the processes of this server log."""
        return LogSettings(
            self.log_level,
            self.log_level_libraries,
            self.log_format,
            self.log_file,
            self.logging_config_file,
            tuple(self.log_levels.items()),
        )
