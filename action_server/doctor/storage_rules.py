"""The rules about databases: where their files lie, and who shares them."""

from __future__ import annotations

from action_server.findings.rule import Rule, rules_in

STORAGE = "storage"

DATABASE_FOLDER = Rule(
    "database-folder",
    "error",
    "the folder of the SQLite file cannot be written: <reason>",
    fix="name another file, or give the server's user the folder; in a container, mount a volume there",
    section=STORAGE,
)
SQLITE_NETWORK = Rule(
    "sqlite-network",
    "error",
    "the SQLite file lies on a network file system (<kind>), whose locks do not keep two hosts apart",
    fix="use a disk of this host, or postgresql:// for several hosts",
    section=STORAGE,
)
SQLITE_CONTAINER = Rule(
    "sqlite-container",
    "warning",
    "in a container that others call, SQLite knows of this replica alone: a repeat that another one gets runs again",
    fix="use postgresql:// for more than one replica; with one, keep the file on a volume",
    section=STORAGE,
)
JOBS_SQLITE = Rule(
    "jobs-sqlite",
    "warning",
    "in a container that others call, jobs in a SQLite file are this replica's alone: those of one that is gone wait "
    "for ever, and `jobs work` on another host sees none",
    fix="use postgresql:// for more than one host; with one, keep the file on a volume",
    section=STORAGE,
)

RULES = rules_in(globals())
