"""The table of results on their way: asked of an engine whose reply is not there yet, or kept to be picked up.

docs/howto/answer-later.md has it as SQL, for whoever creates tables by hand.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, MetaData, String, Table, Text

metadata = MetaData()

deliveries = Table(
    "action_server_deliveries",
    metadata,
    # Of the job whose result it is.
    Column("job_id", String(32), primary_key=True),
    Column("conversation", Text, nullable=False, index=True),
    # Texts and slots as JSON, of one that is kept.
    Column("content", Text),
    # When an engine was asked last; null if it is known that it did nothing.
    Column("asked_at", Double),
    Column("kept_at", Double),
    # When it was picked up first.
    Column("picked_up_at", Double),
)
