"""What nobody caught goes to the log, as a line like any other: Python would write it to standard error as it is.

A thread that dies, an error in a ``__del__``, an error that ends the process: collectors of JSON lines cannot read
their tracebacks, and privacy rules do not reach them.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

logger = logging.getLogger(__name__)


def install() -> None:
    """Log from now on what no code of this process catches. To be called once logging is configured."""
    sys.excepthook = _log_the_end
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_dead_thread


def _log_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("process.failed", exc_info=(kind, error, traceback))


def _log_unraisable(what: sys.UnraisableHookArgs) -> None:
    # `object` is not shown: its text may be anything, and it may be half gone.
    facts = {"problem": what.err_msg or "an error that could not be raised", "kind": type(what.object).__name__}
    logger.error("error.not_raised", extra=facts, exc_info=what.exc_value)


def _log_dead_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_value is None or isinstance(what.exc_value, SystemExit):
        return
    name = what.thread.name if what.thread is not None else "?"
    logger.error("thread.failed", extra={"in_thread": name}, exc_info=what.exc_value)
