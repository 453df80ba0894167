#!/usr/bin/env bash
# recurring-ical-events 3.8.2: a visit that begins in the hour which a clock change skips has no length.
#
# Berlin's clocks go from 02:00 to 03:00 on 29 March 2026, so 02:30 does not exist that night. RFC 5545 3.3.5: it is
# read with the offset before the gap, 02:30+01:00, which is 03:30+02:00. A visit of an hour then ends at 04:30+02:00.
# Seen: it ends at 03:30+02:00, the very instant at which it begins, also for one day of a daily series. A search for
# what is busy from 03:30 to 04:30 finds nothing. The guess was an hour, or an error.
#
# Output seen:
#   2026-03-29T02:30:00+01:00 to 2026-03-29T03:30:00+02:00: 0 min
#   busy between 03:30 and 04:30: 0 events
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install icalendar==7.3.2 recurring-ical-events==3.8.2
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime, timedelta, timezone

import icalendar
import recurring_ical_events

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//example//EN
BEGIN:VEVENT
UID:visit
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260328T023000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=3
END:VEVENT
END:VCALENDAR
"""
query = recurring_ical_events.of(icalendar.Calendar.from_ical(TEXT.replace("\n", "\r\n")))
[found] = query.between((2026, 3, 29), (2026, 3, 30))
start, end = found["DTSTART"].dt, found["DTEND"].dt
length = end.astimezone(timezone.utc) - start.astimezone(timezone.utc)
print(f"{start.isoformat()} to {end.isoformat()}: {length // timedelta(minutes=1)} min")
begin = datetime(2026, 3, 29, 1, 31, tzinfo=timezone.utc)
busy = query.between(begin, begin + timedelta(minutes=59))
print(f"busy between 03:30 and 04:30: {len(busy)} events")
assert length == timedelta(0) and not busy
PYTHON
