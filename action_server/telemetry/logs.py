"""Log lines and the call they belong to; the only module that configures logging.

A message is the constant name of an event, the facts are fields (``extra=``). Everything logged while an action runs
carries the action and the conversation, from worker threads too. It is configured in every worker process: what the
parent configures does not reach a spawned worker, which is how rasa-sdk loses its actions' logs.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from action_server.errors import NoCallError, SettingsError
from action_server.findings.escaping import escape_lines
from action_server.protocol.jsonable import jsonable
from action_server.security.secrets import without_queries
from action_server.telemetry import call_lines
from action_server.telemetry.call_lines import CallLines
from action_server.telemetry.call_notes import noted_call
from action_server.telemetry.handlers import FileLineHandler, LineHandler, tell_failures_of
from action_server.telemetry.masking import mask_record
from action_server.telemetry.tracebacks import format_failure
from action_server.telemetry.tracing import trace_id
from action_server.yaml_file import read_yaml

LogFormat = Literal["console", "json"]

# Their own levels, set by LOG_LEVEL_LIBRARIES as in rasa-sdk: at DEBUG they would bury the actions' lines.
_LIBRARIES = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "asyncio",
    "grpc",
    "opentelemetry",
    "sanic",
    "sqlalchemy",
    "stamina",
    "svcs",
    "tzlocal",
    "urllib3",
)
_SANIC = ("sanic.root", "sanic.error", "sanic.access", "sanic.server")
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# How a record of the console begins, where it is not the first line.
_LIKE_A_RECORD = re.compile(r"\n(?=\d{4}-\d\d-\d\d )")

# What all lines of a call have in common.
_OF_THE_CALL = frozenset({"action", "sender_id", "request_id", "trace_id"})


class CallContext(msgspec.Struct, frozen=True):
    """Which call is running: the action's name, the conversation (``sender_id``) and how the call came in.

    ``request_id`` is the caller's ``X-Request-ID``, or one made here; ``size`` counts the bytes of the request's body;
    ``client`` is the address the request came from, ``engine`` the name by which it tells its engine, if it does.
    """

    action: str
    sender_id: str
    transport: str = "http"
    request_id: str = ""
    size: int = 0
    client: str = ""
    engine: str = ""

    def for_authors(self) -> CallContext:
        """Return what an action gets to see of this."""
        return self


class NobodysContext(CallContext, frozen=True):
    """The context of a call that belongs to no conversation; ``ask`` is told when an action asks for it, and raises."""

    ask: Callable[[], NoReturn] | None = None

    def for_authors(self) -> CallContext:
        """Return the same with a ``sender_id`` that cannot be read: two people would be taken for one."""
        how = (self.transport, self.request_id, self.size, self.client, self.engine)
        return _ForAuthors(self.action, "", *how, ask=self.ask)


class _ForAuthors(NobodysContext, frozen=True):
    def __getattribute__(self, name: str) -> Any:
        ask = super().__getattribute__("ask") if name == "sender_id" else None
        return super().__getattribute__(name) if ask is None else ask()


# Of the running call; whoever sets it resets it, as :class:`calling` does.
running_call: ContextVar[CallContext] = ContextVar("action_server_call")


def current_call() -> CallContext:
    """Return the call that is running here; works in an action, in what it awaits and on its worker thread.

    Raises:
        NoCallError: no action is running here.
    """
    try:
        return running_call.get().for_authors()
    except LookupError:
        raise NoCallError from None


class calling:  # noqa: N801 - used as a function, and cheaper than one that yields
    """Make ``context`` the current call within the block."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: CallContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = running_call.set(self._context)

    def __exit__(self, *_: object) -> None:
        running_call.reset(self._token)


@dataclass(frozen=True)
class LogSettings:
    """How this process logs. ``level`` and ``library_level`` are names of :mod:`logging`; files may be ``None``."""

    level: str = "INFO"
    library_level: str = "ERROR"
    format: LogFormat = "console"
    file: Path | None = None
    config_file: Path | None = None
    # Of single loggers, by name.
    levels: tuple[tuple[str, str], ...] = ()


def configure(settings: LogSettings) -> None:
    """Configure logging of this process: to standard error, and to a file when one is set.

    Raises:
        SettingsError: the log file cannot be written or the configuration file is not a logging configuration.
    """
    call_lines.use(None)
    if settings.config_file:
        _apply_config_file(settings.config_file)
        for handler in _all_handlers():
            _look_after(handler)
        return
    handlers: list[LineHandler | FileLineHandler] = [LineHandler()]
    if settings.file:
        handlers.append(_file_handler(settings.file))
    formatter = JsonFormatter() if settings.format == "json" else ConsoleFormatter()
    for handler in handlers:
        handler.setFormatter(formatter)
        _look_after(handler)
    logging.basicConfig(level=settings.level, handlers=handlers, force=True)
    logging.captureWarnings(True)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(settings.library_level)
    for name, level in settings.levels:
        logging.getLogger(name).setLevel(level)
    for name in _SANIC:
        # Sanic brings its own handlers, which would print each of its lines a second time, in its own form.
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(settings.library_level)
        library.addFilter(_without_queries)
    call_lines.use(CallLines(handlers, settings.format))


class ConsoleFormatter(logging.Formatter):
    """One line for people: time, level, logger, event, then ``name=value`` for each field."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s  - %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line and, below it, its traceback with the author's own line first."""
        kept = record.exc_text
        try:
            # The text of an exception holds what users say: it steers no terminal, and none of its lines poses as one.
            return _LIKE_A_RECORD.sub("\n  ", escape_lines(super().format(record)))
        finally:
            # Python keeps it for the next handler, and a machine reads all of a traceback.
            record.exc_text = kept

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return a traceback for people."""
        return format_failure(ei[1]) if ei[1] is not None else super().formatException(ei)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line of a record without its traceback."""
        # Whatever an author logs, only the first line of a record looks like one, and none steers a terminal.
        record.message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.message)
        fields = "".join(f" {name}={call_lines.plain(value)}" for name, value in _fields(record).items())
        return super().formatMessage(record) + fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line for machines: time (ISO 8601, UTC), level, logger, event and the fields.

    A field that is named like one of these stands as ``field_<name>``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_text:
            # What privacy rules left of it.
            line["exception"] = record.exc_text
        elif record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        fields = {f"field_{name}" if name in line else name: value for name, value in _fields(record).items()}
        return json.dumps({**line, **{name: _json_field(value) for name, value in fields.items()}})


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _add_context(record: logging.LogRecord) -> bool:
    context = running_call.get(None)
    if context is not None:
        vars(record).setdefault("action", context.action)
        vars(record).setdefault("sender_id", context.sender_id)
        if context.request_id:
            vars(record).setdefault("request_id", context.request_id)
    trace = trace_id()
    if trace:
        vars(record).setdefault("trace_id", trace)
    return True


def _note(record: logging.LogRecord) -> bool:
    """Tell whoever watches the running call of its line, as it is when it is masked."""
    notes = noted_call.get()
    if notes is not None:
        try:
            fields = {k: v for k, v in _fields(record).items() if k not in _OF_THE_CALL}
            text = record.getMessage() + "".join(f" {k}={call_lines.plain(v)}" for k, v in fields.items())
        except Exception:  # noqa: BLE001 - arguments that do not fit, or a __str__ of anybody's: the handler tells of it
            text = str(record.msg)
        notes.note_line(record, text)
    return True


def _json_field(value: object) -> object:
    try:
        plain = jsonable(value)
        # Python writes NaN and infinities, which are not JSON and which collectors of logs do not read.
        json.dumps(plain, allow_nan=False)
    except ValueError:
        return str(value)
    return plain


def _look_after(handler: logging.Handler) -> None:
    handler.addFilter(_add_context)
    handler.addFilter(mask_record)
    handler.addFilter(_note)
    tell_failures_of(handler)


def _all_handlers() -> set[logging.Handler]:
    loggers = [logging.root, *(v for v in logging.root.manager.loggerDict.values() if isinstance(v, logging.Logger))]
    return {handler for logger in loggers for handler in logger.handlers}


def _without_queries(record: logging.LogRecord) -> bool:
    # Sanic writes whole URLs, into tracebacks too, and Rasa sends its token in the query.
    record.msg, record.args = without_queries(record.getMessage()), None
    if record.exc_info:
        record.exc_text = without_queries(logging.Formatter().formatException(record.exc_info))
    # Whoever sends a body where none is read would fill the log with it.
    return not record.msg.endswith("body not consumed.")


def _file_handler(path: Path) -> FileLineHandler:
    try:
        return FileLineHandler(path)
    except (OSError, ValueError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "no file can have this name"
        raise SettingsError("--log-file", f"{path} cannot be written: {problem}") from exc


def _apply_config_file(path: Path) -> None:
    where = "--logging-config-file"
    config = read_yaml(path, where)
    try:
        logging.config.dictConfig(config)
    except Exception as exc:
        # dictConfig raises nearly anything; its messages quote the configuration, which may hold credentials.
        problem = f"{path} is not a configuration of Python's logging ({type(exc).__name__})"
        raise SettingsError(where, problem) from exc
