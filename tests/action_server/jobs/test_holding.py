"""Who may begin: all at first, nobody while a system is held to be down, then one at a time; and never more than so."""

from __future__ import annotations

import logging

import pytest

from action_server import job
from action_server.jobs.holding import Places, Share
from tests.action_server.jobs.job_fixtures import Clock

pytest_plugins = ["tests.action_server.jobs.job_fixtures"]


@job
async def tell() -> None:
    """Tell a system."""


@job(at_once=2)
async def slow() -> None:
    """Ask a slow system."""


@job
async def other() -> None:
    """Do something else."""


@pytest.fixture
def places(clock: Clock) -> Places:
    """Those of a worker with three jobs."""
    return Places({one.name: one for one in (tell, slow, other)}, clock)


ALL = Share(("tell", "other"), 4)


def test_each_may_begin_as_often_as_its_options_say(places: Places) -> None:
    """Those without a limit share what is free; those with one have what is left of theirs."""
    assert places.share({}, 4) == [ALL, Share(("slow",), 2)]
    assert places.share({"slow": 1, "tell": 1}, 2) == [Share(("tell", "other"), 2), Share(("slow",), 1)]
    assert places.share({"slow": 2}, 4) == [ALL]
    assert places.share({"slow": 2, "tell": 2}, 0) == []


def test_none_begins_while_its_system_is_down(places: Places, clock: Clock) -> None:
    """And then one at a time, until one got through."""
    places.hold("tell", 10.0, "it is down")
    assert places.share({}, 4) == [Share(("other",), 4), Share(("slow",), 2)]
    assert places.opens_in == 10.0

    clock.time += 10
    assert places.opens_in is None
    assert places.share({}, 4) == [Share(("other",), 4), Share(("tell",), 1), Share(("slow",), 2)]
    assert places.share({"tell": 1}, 4) == [Share(("other",), 4), Share(("slow",), 2)]

    places.got_through("tell")
    assert places.share({}, 4)[0] == ALL


def test_runs_of_before_a_hold_end_nothing(places: Places, clock: Clock) -> None:
    """One that gets through while the system is held to be down began before; the longest hold counts."""
    places.hold("slow", 10.0, "it is down")
    places.hold("slow", 5.0, "it is down")
    places.got_through("slow")
    assert places.share({"slow": 1}, 4) == [ALL]
    assert places.opens_in == 10.0

    places.hold("slow", 20.0, "come back later")
    clock.time += 10
    assert places.opens_in == 10.0


def test_a_hold_is_said_when_it_begins_anew(places: Places, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Not for each of the jobs that failed together; and its end once."""
    caplog.set_level(logging.INFO)
    for _ in range(3):
        places.hold("tell", 10.0, "it is down")
    clock.time += 10
    places.hold("tell", 20.0, "it is down")
    clock.time += 20
    places.got_through("tell")
    places.got_through("tell")

    said = [(one.levelname, one.getMessage(), vars(one).get("pause")) for one in caplog.records]
    assert said == [("WARNING", "job.held", 10.0), ("WARNING", "job.held", 20.0), ("INFO", "job.resumed", None)]
    assert vars(caplog.records[0])["problem"] == "it is down"
