"""The CRM's tables: whom it knows, the embedded one's contacts and activities, and the outbox of earlier versions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table

from actions.tables import UtcDateTime, metadata

# What waited to be delivered before there were jobs, of no use to anybody else than `actions.crm.earlier`, which drops
# it. A row that was delivered keeps its id for a while, and nothing about the patient.
of_earlier_versions = MetaData()
outbox = Table(
    "crm_outbox",
    of_earlier_versions,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("contact", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    # How often in a row the CRM could not be told of it, and how often it refused to be told.
    Column("failures", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("problem", String),
    Column("name", String),
    Column("email", String),
    Column("phone", String),
    Column("change", String(16)),
    Column("reference", String),
    Column("appointment_type", String),
    Column("start", UtcDateTime),
    Column("end", UtcDateTime),
    Column("at", UtcDateTime),
)
Index("crm_outbox_of_a_contact", outbox.c.state, outbox.c.contact, outbox.c.seq)

# The contacts that something waits for there, one row each. Nobody but the holder delivers for a contact before
# `until`; without a holder (an empty text) nobody does.
leases = Table(
    "crm_leases",
    of_earlier_versions,
    Column("contact", String(64), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

# Under which of its own ids a CRM first knew a contact: people merge records, and the key may be gone then.
records = Table(
    "crm_records",
    metadata,
    Column("contact", String(64), primary_key=True),
    Column("system", String(40), primary_key=True),
    Column("record", String(64), nullable=False),
)

secrets = Table(
    "crm_secrets",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)

contacts = Table(
    "crm_contacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("name", String),
    Column("email", String),
    Column("phone", String),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # The id of the contact that people say it is, so that what comes later goes there. It stays, for its key.
    Column("merged_into", Integer),
)

activities = Table(
    "crm_activities",
    metadata,
    Column("id", String, primary_key=True),
    Column("contact_id", ForeignKey(contacts.c.id), nullable=False, index=True),
    Column("change", String(16), nullable=False),
    Column("reference", String, nullable=False),
    Column("appointment_type", String, nullable=False),
    Column("start", UtcDateTime, nullable=False),
    Column("end", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("logged_at", UtcDateTime, nullable=False),
)
