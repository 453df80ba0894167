"""A process that delivers: `python -m tests.actions.crm.outbox_process DATABASE URL`, until it is killed."""

from __future__ import annotations

import asyncio
import sys

from actions.crm.delivery import OutboxSettings
from actions.crm.hubspot import HubSpotCrm, HubSpotSettings
from actions.database import open_database
from actions.transport import TransportSettings, open_session
from tests.actions.crm.hubspot_fake import TOKEN
from tests.actions.crm.outbox_kit import telling

QUICK = OutboxSettings(first_pause=0.01, longest_pause=0.1, delivery_timeout=20.0)
# The breaker, too, looks again soon.
TRANSPORT = TransportSettings(attempts=1, breaker_pause=0.1)


def hubspot_settings(url: str) -> HubSpotSettings:
    return HubSpotSettings.model_validate({"type": "hubspot", "token": TOKEN, "base_url": url, "transport": TRANSPORT})


async def main(database_url: str, url: str) -> None:
    database = await open_database(database_url)
    async with open_session() as session, telling(database, HubSpotCrm(hubspot_settings(url), session), QUICK):
        print("ready", flush=True)  # noqa: T201 (the parent reads it)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
