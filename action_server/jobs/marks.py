"""The marks by which a conversation shows what was delivered there: ids of jobs in its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The key of an event's metadata, and the name of an intent's entity, that hold the id of the job.
MARK = "action_server_job"


def is_marked(events: Sequence[Mapping[str, Any]], job_id: str) -> bool:
    """Tell whether a conversation's events have the result of a job."""
    return job_id in marks_of(events)


def marks_of(events: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the ids of the jobs whose results are among the events: said, set, or come in as an intent."""
    found = set()
    for event in events:
        metadata = event.get("metadata")
        if isinstance(metadata, Mapping) and isinstance(metadata.get(MARK), str):
            found.add(metadata[MARK])
        parsed = event.get("parse_data") if event.get("event") == "user" else None
        entities = parsed.get("entities") if isinstance(parsed, Mapping) else None
        for entity in entities if isinstance(entities, Sequence) else ():
            if isinstance(entity, Mapping) and entity.get("entity") == MARK:
                found.add(str(entity.get("value")))
    return found
