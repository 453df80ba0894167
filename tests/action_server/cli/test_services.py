"""`action-server services`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes import run
from tests.projects import GREET, project

SERVICES = """
    import asyncio
    from contextlib import asynccontextmanager

    class Book: pass
    class Crm: pass
    class Silent: pass

    async def never(_):
        await asyncio.Event().wait()

    def refuse(_):
        raise ConnectionError("the CRM refuses the token: it lacks\\n the scope contacts.write")

    @asynccontextmanager
    async def lifespan(registry, config):
        registry.register_value(Book, Book(), ping=lambda book: None)
        if config.get("broken"):
            registry.register_value(Crm, Crm(), ping=refuse)
            registry.register_value(Silent, Silent(), ping=never)
        if config.get("closed"):
            raise RuntimeError("no database")
        yield
"""


def test_services_says_which_work(folder: Path) -> None:
    """All of them: exit code 0."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services", "--json"])

    assert (done.returncode, done.stderr) == (0, "")
    [book] = json.loads(done.stdout)
    assert (book["name"], book["ok"], book["problem"]) == ("actions.Book", True, "")


def test_services_says_in_words_what_is_wrong(folder: Path) -> None:
    """One refuses, one never answers, one is well; exit code 1."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services", "--timeout", "0.2"], ACTION_SERVER__SERVICES__BROKEN="yes")

    assert (done.returncode, done.stderr) == (1, "")
    book, crm, silent = [" ".join(line.split()) for line in done.stdout.splitlines()[1:]]
    assert book.startswith("actions.Book yes ")
    assert crm.startswith("actions.Crm no ")
    assert crm.endswith(" the CRM refuses the token: it lacks the scope contacts.write")
    assert silent.endswith(" does not answer within 0.2 s")


def test_services_that_cannot_be_opened_are_one_line(folder: Path) -> None:
    """With its place; exit code 2."""
    project(folder, {"actions.py": SERVICES})

    done = run(folder, ["services"], ACTION_SERVER__SERVICES__CLOSED="yes")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "actions.py:2" in done.stderr
    assert "no database" in done.stderr


def test_services_without_any_says_so(folder: Path) -> None:
    """It is no failure."""
    project(folder, {"actions.py": GREET})

    done = run(folder, ["services"])

    assert (done.returncode, done.stdout.strip()) == (0, "no service was registered with a ping")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_services_say_what_they_understood(folder: Path, kind: str) -> None:
    """One with a method `describe` is quoted, in lines below the table; machines get them with the service."""
    describe = f"class Book:\n        {kind} describe(self): return ['open [Mo] 08:00', 'closed on Sundays']"
    project(folder, {"actions.py": SERVICES.replace("class Book: pass", describe)})

    said, read = run(folder, ["services"]), run(folder, ["services", "--json"])

    assert said.stdout.splitlines()[-3:] == ["actions.Book", "  open [Mo] 08:00", "  closed on Sundays"]
    assert json.loads(read.stdout)[0]["description"] == ["open [Mo] 08:00", "closed on Sundays"]


def test_a_service_that_cannot_describe_itself_says_that(folder: Path) -> None:
    """Its ping says whether it works; the others' words are shown."""
    broken = "class Book:\n        def describe(self): raise RuntimeError('no table')"
    project(folder, {"actions.py": SERVICES.replace("class Book: pass", broken)})

    done = run(folder, ["services", "--json"])

    assert (done.returncode, json.loads(done.stdout)[0]["description"]) == (0, ["RuntimeError: no table"])
