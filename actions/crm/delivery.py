"""The job that tells the CRM what became of an appointment: when it is tried again, and what a failure means."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError, GiveUp, RetryLater, current_job, job, services
from actions.crm.identity import Detail
from actions.crm.models import Activity, Contact
from actions.crm.port import CrmBackend
from actions.crm.tables import records
from actions.crm.upsert import insert_into
from actions.errors import AuthFailedError, BackendError, InvalidRequestError, RateLimitedError

_logger = logging.getLogger(__name__)

# No system means more than this by Retry-After, and a mistake in it must not silence the outbox for days.
_LONGEST_RETRY_AFTER = 3600.0
# When a system says "too often" and not for how long. Daily limits are refused like this for hours.
_RATE_LIMIT_PAUSE = (10.0, 300.0)
_YEAR = 365 * 86_400.0
# Above what `refusals` can be set to, which is what counts.
_MOST_REFUSALS = 100

_Seconds = Annotated[float, Field(gt=0)]


class OutboxSettings(BaseModel):
    """How the CRM is told. Times are in seconds.

    Attributes:
        tell: what the CRM may know besides what became of an appointment and when it is.
        first_pause: how long it waits after a failure; twice as long after each further one, up to `longest_pause`.
        delivery_timeout: how long one delivery may take.
        refusals: how often the CRM may refuse one change before it is parked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tell: frozenset[Detail] = frozenset({"name", "email", "phone", "appointment_type"})
    first_pause: _Seconds = 1.0
    longest_pause: _Seconds = 15.0
    delivery_timeout: _Seconds = 20.0
    refusals: Annotated[int, Field(ge=1, le=_MOST_REFUSALS)] = 5


# Each delivery is limited by `delivery_timeout`, and the database by its own patience.
@job(name="crm.tell", retries=_MOST_REFUSALS, deadline=_YEAR, timeout=None, at_once=4, forgets=True)
async def tell_crm(contact: Contact, activity: Activity) -> None:
    """Tell the CRM of one change. A repeat is logged once there: it knows the activity by its id."""
    await services.get(Postman).deliver(contact, activity)


class Postman:
    """Tells one CRM for one worker, and knows how long to leave it alone."""

    def __init__(
        self,
        database: Database,
        backend: CrmBackend,
        settings: OutboxSettings,
        chance: Callable[[], float] = random.random,  # jitter, not a secret
    ) -> None:
        self._database = database
        self._backend = backend
        # Whose ids are kept.
        self._system = type(backend).__name__[:40]
        self._settings = settings
        self._chance = chance
        # Failures since the CRM last answered, which the pause doubles with.
        self._failures = 0
        self._paused_until = 0.0

    async def deliver(self, contact: Contact, activity: Activity) -> None:
        """Tell the CRM, in a run of a job, and keep under which id it knows the contact.

        Raises `RetryLater` or `GiveUp`: what the CRM refuses counts against the job, that it is not there does not.
        """
        try:
            known = await self._record_of(contact)
            telling = self._tell(replace(contact, record=known), activity)
            found = await asyncio.wait_for(telling, self._settings.delivery_timeout)
            self._failures = 0
            if known is None:
                await self._keep(contact, found)
        except InvalidRequestError as exc:
            raise self._refused(str(exc)) from None
        except BackendError as exc:
            raise self._failed(str(exc), exc) from None
        except asyncio.TimeoutError:
            raise self._failed("the delivery took too long") from None
        except DatabaseError as exc:
            raise RetryLater(str(exc), self._settings.longest_pause) from None
        except Exception as exc:  # noqa: BLE001 (a defect in a backend is no reason to forget the change; its text may hold anything)
            raise self._refused(f"the delivery failed with {type(exc).__name__}") from None

    async def _tell(self, contact: Contact, activity: Activity) -> str:
        contact_id = await self._backend.upsert_contact(contact)
        await self._backend.log_activity(contact_id, activity)
        return contact_id

    def _refused(self, problem: str) -> Exception:
        # The CRM answered, so it is there for all others.
        self._failures = 0
        attempt = current_job().attempt
        if attempt >= self._settings.refusals:
            return GiveUp(problem)
        pause = self._pause(attempt - 1, self._settings.first_pause, self._settings.longest_pause)
        return RetryLater(problem, pause, is_attempt=True)

    def _failed(self, problem: str, error: BackendError | None = None) -> RetryLater:
        """Leave the CRM alone: what failed is the CRM, not the change. Deliveries that fail together count once."""
        now = asyncio.get_running_loop().time()
        if now >= self._paused_until:
            pause = self._pause_after(error)
            self._failures += 1
            self._paused_until = now + pause
            if isinstance(error, AuthFailedError):
                _logger.error("crm.credentials_refused", extra={"problem": problem, "pause": round(pause, 1)})
        hold = self._paused_until - now
        # Its own pause, which grows with its runs, is for one that fails while all others are delivered.
        own = self._pause(current_job().fence - 1, self._settings.first_pause, self._settings.longest_pause)
        return RetryLater(problem, max(hold, own), hold=hold)

    def _pause_after(self, error: BackendError | None) -> float:
        if isinstance(error, RateLimitedError):
            if error.retry_after is not None:
                return min(error.retry_after, _LONGEST_RETRY_AFTER) + self._settings.first_pause * self._chance()
            return self._pause(self._failures, *_RATE_LIMIT_PAUSE)
        return self._pause(self._failures, self._settings.first_pause, self._settings.longest_pause)

    def _pause(self, earlier: int, first: float, longest: float) -> float:
        full = min(first * 2.0 ** min(earlier, 30), longest)
        return full * (0.5 + 0.5 * self._chance())

    async def _record_of(self, contact: Contact) -> str | None:
        known = select(records.c.record).where(records.c.contact == contact.key, records.c.system == self._system)

        async def look(connection: AsyncConnection) -> str | None:
            found: str | None = await connection.scalar(known)
            return found

        return await self._database.read(look)

    async def _keep(self, contact: Contact, record: str) -> None:
        """Keep the first id under which the CRM knows the contact: by it, it finds whatever that was merged into."""
        row = {"contact": contact.key, "system": self._system, "record": record[:64]}

        async def keep(connection: AsyncConnection) -> None:
            await connection.execute(insert_into(connection, records).values(row).on_conflict_do_nothing())

        await self._database.write(keep)
