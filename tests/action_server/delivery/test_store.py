"""What is kept is handed out until the conversation shows it, and no longer than it should be."""

from __future__ import annotations

from action_server.delivery.store import Kept
from tests.action_server.delivery.delivery_fixtures import Opening

pytest_plugins = ["tests.databases", "tests.action_server.delivery.delivery_fixtures"]


async def test_what_is_kept_is_handed_out_until_it_was_said(opened: Opening) -> None:
    """Oldest first, to its own conversation; asked again before it was said, it is there again."""
    store = opened().store
    await store.keep(Kept("b2", ["first"], {"summary": "x"}), "ann")
    opened.clock.time += 1  # type: ignore[attr-defined]
    await store.keep(Kept("a1", ["second"], {}), "ann")
    await store.keep(Kept("c3", ["other"], {}), "bob")

    assert [one.texts for one in await store.pick_up("ann", ())] == [["first"], ["second"]]
    assert [one.texts for one in await store.pick_up("ann", ())] == [["first"], ["second"]]
    assert [one.texts for one in await store.pick_up("ann", {"b2"})] == [["second"]]
    assert [one.texts for one in await store.pick_up("ann", {"a1", "b2"})] == []
    assert [one.slots for one in await store.pick_up("bob", ())] == [{}]


async def test_what_was_handed_out_goes_after_an_hour(opened: Opening) -> None:
    """A tool's calls have no history by which it would be known."""
    store = opened().store
    await store.keep(Kept("a1", ["text"], {}), "ann")
    opened.clock.time += 6 * 86_400  # type: ignore[attr-defined]
    assert len(await store.pick_up("ann", ())) == 1
    opened.clock.time += 3601  # type: ignore[attr-defined]

    assert await store.pick_up("ann", ()) == []


async def test_what_nobody_fetches_goes_after_a_week(opened: Opening) -> None:
    """With the next one that is kept."""
    store = opened().store
    await store.keep(Kept("a1", ["text"], {}), "ann")
    opened.clock.time += 8 * 86_400  # type: ignore[attr-defined]
    await store.keep(Kept("b2", ["text"], {}), "bob")

    assert await store.pick_up("ann", ()) == []


async def test_keeping_twice_keeps_one(opened: Opening) -> None:
    """A run of the delivery that is repeated."""
    store = opened().store
    for _ in range(2):
        await store.keep(Kept("a1", ["text"], {}), "ann")

    assert len(await store.pick_up("ann", ())) == 1
