"""Entries of the assistant as they are found in a calendar, those of hosts with other ledgers too."""

from __future__ import annotations

import re
from datetime import tzinfo

from actions.scheduling.caldav.busy import own_span
from actions.scheduling.caldav.collection import StoredObject
from actions.scheduling.caldav.content import TENTATIVE
from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.zones import UNREADABLE, events_in
from actions.scheduling.models import Slot
from actions.scheduling.remote import Written

# At the end of an event's title in parentheses, and of a claim's without.
_REFERENCE = re.compile(r"(APT-[A-Z0-9]{6})\)?$")


def reference_in(stored: StoredObject) -> str | None:
    """Return the reference in the title of an object of the assistant's; None if there is none."""
    try:
        match = _REFERENCE.search(str(events_in(stored.content)[0].get("SUMMARY", "")))
    except UNREADABLE:
        return None
    return match[1] if match else None


def written_as(stored: StoredObject, within: Slot, zone: tzinfo) -> Written | None:
    """Return the entry that an event is; None if it is somebody else's, is cancelled, or is at another time.

    A tentative one is not whole: its writer has not looked yet whether anybody else has the time.
    """
    reference, uid = reference_in(stored), stored.uid
    if reference is None or uid is None:
        return None
    try:
        span = own_span(stored.content, zone)
    except UNREADABLE:
        return None
    if span is None or span.start >= span.end or not span.overlaps(Span(within.start, within.end)):
        return None
    return Written(uid, Slot(within.resource, span.start, span.end), reference, is_whole=stored.status != TENTATIVE)
