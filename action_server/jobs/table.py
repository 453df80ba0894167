"""The tables behind jobs: a row for each, for each key that one was asked for with, and for each that has an order.

docs/howto/answer-later.md has them as SQL, for whoever creates tables by hand.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()

# With what the ids of periodic jobs' rows begin; those of all others are of hexadecimal digits.
PERIODIC = "every"

jobs = Table(
    "action_server_jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("arguments", Text, nullable=False),
    # waiting, running, done, parked, cancelled
    Column("state", String(9), nullable=False),
    # When somebody has to look at it: a waiting one begins, the lease of a running one is over. Null when it has ended,
    # and while it waits behind another one with the same ordering key.
    Column("due_at", Double),
    # How often it was tried; not counted are runs that a shutdown or a death cut off. Deaths are in `losses`.
    Column("attempt", Integer, nullable=False, default=0),
    Column("losses", Integer, nullable=False, default=0),
    # Grows with each run: whoever writes has to name its own, so a run that was taken over can write nothing.
    Column("fence", Integer, nullable=False, default=0),
    Column("owner", String(16)),
    Column("cancel_asked", Boolean, nullable=False, default=False),
    Column("created_at", Double, nullable=False),
    Column("deadline_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    # Between 0 and 1, and in words; null until the job says something.
    Column("progress", Double),
    Column("said", String(200)),
    # What went wrong last: the error's type and place. Its words are in the log alone.
    Column("problem", String(300)),
    Column("result", Text),
    # Of the call that asked for it.
    Column("conversation", Text, nullable=False, default=""),
    Column("request_id", String(200), nullable=False, default=""),
    Column("traceparent", String(200), nullable=False, default=""),
)
is_periodic_row = jobs.c.id.startswith(PERIODIC)
_is_due = jobs.c.due_at.is_not(None)
# By name: a worker that does not know a name passes by all of its jobs at once.
Index("action_server_jobs_due", jobs.c.name, jobs.c.due_at, sqlite_where=_is_due, postgresql_where=_is_due)
_has_ended = jobs.c.ended_at.is_not(None)
Index("action_server_jobs_ended", jobs.c.ended_at, sqlite_where=_has_ended, postgresql_where=_has_ended)
# The few that are counted every some seconds.
is_counted = text("state IN ('running', 'parked')")
Index("action_server_jobs_counted", jobs.c.name, jobs.c.state, sqlite_where=is_counted, postgresql_where=is_counted)

keys = Table(
    "action_server_job_keys",
    metadata,
    # A digest of the job's name and the author's key.
    Column("key", String(64), primary_key=True),
    Column("job_id", String(32), nullable=False, index=True),
)

job_order = Table(
    "action_server_job_order",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    # A digest of the job's name and the author's ordering key: what a line is called.
    Column("ordering_key", String(64), nullable=False),
    # In its line, which begins anew when it was empty; null when the job is parked or cancelled and may come again.
    Column("position", BigInteger),
    # It waits behind another one, and has no time at which it is due.
    Column("blocked", Boolean, nullable=False),
    # When it may begin, whenever its turn comes.
    Column("not_before", Double, nullable=False),
)
_is_in_line = job_order.c.position.is_not(None)
# Unique: who did not see the one before does not come beside it.
Index(
    "action_server_job_order_line",
    job_order.c.ordering_key,
    job_order.c.position,
    unique=True,
    sqlite_where=_is_in_line,
    postgresql_where=_is_in_line,
)
is_blocked = text("blocked")
Index(
    "action_server_job_order_blocked",
    job_order.c.name,
    job_order.c.ordering_key,
    sqlite_where=is_blocked,
    postgresql_where=is_blocked,
)
