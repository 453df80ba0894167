"""What works only on the thread that made it is found where authors put it, and nothing else is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from action_server.runtime import loader
from tests.projects import project

HEAD = """
    import sqlite3
    from rasa_sdk import Action

    class Base(Action):
        def name(self):
            return "action_x"
"""
RUN = """
        def run(self, dispatcher, tracker, domain):
            return []
"""
PLACES = {
    "a module": ("connection = sqlite3.connect(':memory:')\n    class A(Base):" + RUN, "bound_bot.connection"),
    "a cursor": ("cursor = sqlite3.connect(':memory:').cursor()\n    class A(Base):" + RUN, "bound_bot.cursor"),
    "a dict": ("db = {'Ann': sqlite3.connect(':memory:')}\n    class A(Base):" + RUN, "bound_bot.db[...]"),
    "a class": ("class A(Base):\n        db = sqlite3.connect(':memory:')" + RUN, "bound_bot.A.db"),
    "an instance": (
        "class A(Base):\n        def __init__(self):\n            self.db = sqlite3.connect(':memory:')" + RUN,
        "action_x.db",
    ),
    "an object of the author's": (
        "class Db:\n        def __init__(self):\n            self.c = sqlite3.connect(':memory:')\n"
        "    db = Db()\n    class A(Base):" + RUN,
        "bound_bot.db.c",
    ),
}
OTHER_PLACES = {
    "a default": (
        "def cities(db=sqlite3.connect(':memory:')):\n        return db\n    class A(Base):" + RUN,
        "bound_bot.cities(default) (sqlite3.Connection)",
    ),
    "a closure": (
        "def opened(db):\n        return lambda: db\n    cities = opened(sqlite3.connect(':memory:'))\n"
        "    class A(Base):" + RUN,
        "bound_bot.cities(db) (sqlite3.Connection)",
    ),
    "a method": (
        "ask = sqlite3.connect(':memory:').execute\n    class A(Base):" + RUN,
        "bound_bot.ask(...) (sqlite3.Connection)",
    ),
    "a partial": (
        "import functools\n    ask = functools.partial(print, sqlite3.connect(':memory:'))\n    class A(Base):" + RUN,
        "bound_bot.ask(...)[...] (sqlite3.Connection)",
    ),
    "a cache": (
        "import functools\n    @functools.lru_cache\n    def db():\n        return sqlite3.connect(':memory:')\n"
        "    db()\n    class A(Base):" + RUN,
        "bound_bot.db(...) (sqlite3.Connection)",
    ),
    "an object of a library": (
        "import argparse\n    db = argparse.Namespace(conn=sqlite3.connect(':memory:'))\n    class A(Base):" + RUN,
        "bound_bot.db.conn (sqlite3.Connection)",
    ),
    "what a thread has of its own": (
        "import threading\n    own = threading.local()\n    own.city = 'Bonn'\n    class A(Base):" + RUN,
        "bound_bot.own (_thread._local)",
    ),
    "a database in memory": (
        "import sqlalchemy\n    engine = sqlalchemy.create_engine('sqlite://')\n    class A(Base):" + RUN,
        "bound_bot.engine (sqlalchemy.engine.base.Engine)",
    ),
}
ELSEWHERE = {
    "a local that each thread fills": (
        "import threading\n    class Own(threading.local):\n"
        "        def __init__(self):\n            self.city = 'Bonn'\n"
        "    own = Own()\n    own.city = 'Rome'\n    empty = threading.local()\n    class A(Base):" + RUN
    ),
    "an engine of a file": (
        "import sqlalchemy\n    engine = sqlalchemy.create_engine('sqlite:///x.db')\n    class A(Base):" + RUN
    ),
    "a proxy that is bound to nothing": (
        "class Proxy:\n        def __getattribute__(self, name):\n"
        "            raise RuntimeError('outside of a request')\n"
        "    proxy = Proxy()\n    class A(Base):" + RUN
    ),
    "one that is not bound": "db = sqlite3.connect(':memory:', check_same_thread=False)\n    class A(Base):" + RUN,
    "one that is closed": "db = sqlite3.connect(':memory:')\n    db.close()\n    class A(Base):" + RUN,
    "one of async code alone": "db = sqlite3.connect(':memory:')\n    class A(Base):"
    + RUN.replace("def run", "async def run"),
    "none at all": "class A(Base):" + RUN,
}


@pytest.mark.parametrize(("source", "place"), PLACES.values(), ids=PLACES.keys())
def test_a_connection_is_found_in(folder: Path, source: str, place: str) -> None:
    """By the place where it hangs, which holds no value, and its type."""
    project(folder, {"bound_bot.py": HEAD + "\n    " + source})

    found = loader.load("bound_bot").thread_bound

    kind = sqlite3.Cursor if place.endswith("cursor") else sqlite3.Connection
    assert [line.split()[0] for line in found] == [place]
    assert found[0].endswith(f"(sqlite3.{kind.__name__})")


@pytest.mark.parametrize(("source", "line"), OTHER_PLACES.values(), ids=OTHER_PLACES.keys())
def test_what_is_bound_is_found_in(folder: Path, source: str, line: str) -> None:
    """Wherever a module keeps it, and of whichever kind it is."""
    project(folder, {"bound_bot.py": HEAD + "\n    " + source})

    assert loader.load("bound_bot").thread_bound == (line,)


def test_a_connection_of_a_module_beside_the_actions_is_found(folder: Path) -> None:
    """Helpers of the project count as well."""
    project(folder, {"bound_db.py": "import sqlite3\nconnection = sqlite3.connect(':memory:')\n"})
    project(folder, {"bound_bot.py": HEAD + "\n    import bound_db\n    class A(Base):" + RUN})

    assert loader.load("bound_bot").thread_bound == ("bound_db.connection (sqlite3.Connection)",)


@pytest.mark.parametrize("source", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_nothing_is_reported_for(folder: Path, source: str) -> None:
    """Only what was tried and fails on another thread counts, and only where something would run on one."""
    project(folder, {"bound_bot.py": HEAD + "\n    " + source})

    assert loader.load("bound_bot").thread_bound == ()
