"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

# Test files use these as plugins, and import from them as well: whichever comes first, their assertions are explained.
pytest.register_assert_rewrite(
    "tests.databases",
    "tests.action_server.delivery.delivery_fixtures",
    "tests.action_server.delivery.peers",
    "tests.action_server.idempotency.store_fixtures",
    "tests.action_server.jobs.job_fixtures",
    "tests.actions.scheduling.caldav.caldav_servers",
    "tests.actions.scheduling.calendar_contract",
    "tests.actions.scheduling.scheduling_contract",
    "tests.actions.transport.transport_fixtures",
)

# The same examples in every run, and no clock that fails one on a busy machine.
settings.register_profile(
    "tests", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


# Files and folders whose tests wait for processes and servers: they begin while others compute, the longest first, or
# the last one would run alone at the end.
LONG = (
    "tests/actions/reliability/",
    "tests/actions/scheduling/fhir/test_variants.py",
    "tests/proxies/",
    "tests/action_server/serving/",
    "tests/test_",
    "tests/action_server/inspector/",
    "tests/action_server/jobs/",
    "tests/actions/scheduling/",
    "tests/action_server/cli/",
    "tests/action_server/doctor/",
)


def pytest_configure() -> None:
    """Let Ctrl-C be one: in the background of a script it is ignored, and whoever waits for it would do so for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _begins_early(file: str, tests: int) -> tuple[int, int]:
    place = next((number for number, name in enumerate(LONG) if file.startswith(name)), len(LONG))
    return place, -tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes long begin early; `make test` runs files in this order, each in one process."""
    files = Counter(item.nodeid.partition("::")[0] for item in items)
    items.sort(key=lambda item: _begins_early(item.nodeid.partition("::")[0], files[item.nodeid.partition("::")[0]]))


def pytest_collection_finish() -> None:
    """Leave what was collected out of each garbage collection to come: with twelve thousand tests one took a second."""
    _clinic.update(_modules_of_actions())
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("ACTION_SERVER", "SANIC_", "LOG_LEVEL")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _inner_runs_clean_up_their_own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test that runs pytest would wait while that removes what whole runs before this one have left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DEBUG_TEMPROOT", str(tmp_path_factory.mktemp("inner")))
        yield


_CLINIC = str(Path(__file__).parents[1] / "actions")
# The clinic's modules as test files imported them.
_clinic: dict[str, ModuleType] = {}


@pytest.fixture(autouse=True, scope="module")
def _actions_are_the_clinics() -> Iterator[None]:
    """Give the name back that projects of tests take as well: a file of tests that imports it means the clinic."""
    _restore_the_clinic()
    yield
    _restore_the_clinic()


def _restore_the_clinic() -> None:
    now = sys.modules.get("actions")
    if now is not None and not str(getattr(now, "__file__", "")).startswith(_CLINIC):
        for name in _modules_of_actions():
            del sys.modules[name]
        sys.modules.update(_clinic)


def _modules_of_actions() -> dict[str, ModuleType]:
    return {name: sys.modules[name] for name in list(sys.modules) if name == "actions" or name.startswith("actions.")}


def _levels() -> dict[str, int]:
    loggers = logging.root.manager.loggerDict
    return {name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger)}


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test configures, as the command line does, is gone for the next one."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    levels = _levels()
    yield
    root.setLevel(level)
    for name in _levels():
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.disable(logging.NOTSET)
    logging.captureWarnings(False)
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
    for handler in [h for h in handlers if h not in root.handlers]:
        root.addHandler(handler)


def _subclasses_of_action() -> Iterator[type]:
    """Yield all classes of actions that there are, if any can be."""
    sdk = sys.modules.get("rasa_sdk.interfaces")
    found = [] if sdk is None else list(sdk.Action.__subclasses__())
    while found:
        one = found.pop()
        yield one
        found += one.__subclasses__()


def _is_left_over(one: type) -> bool:
    """Whether a class is none of its module any more."""
    module = sys.modules.get(one.__module__)
    return "<locals>" not in one.__qualname__ and getattr(module, one.__name__, None) is not one


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory that modules can be imported from; what was imported is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # Action classes of earlier tests' modules of the same name are subclasses until they are collected.
    if any(map(_is_left_over, _subclasses_of_action())):
        gc.collect()
    # The clinic's own package is imported by its tests, and would be taken for a test's package of the same name.
    clinic = _modules_of_actions()
    for name in clinic:
        del sys.modules[name]
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.modules.update(clinic)
