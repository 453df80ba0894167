#!/usr/bin/env bash
# icalendar 7.3.2 and recurring-ical-events 3.8.2: a DURATION in hours is added on the wall clock, so a visit of PT24H
# that begins before a clock change ends an hour late or early.
#
# RFC 5545 3.3.6: a duration of weeks and days is nominal, one of hours, minutes and seconds is exact. Berlin goes from
# +02:00 to +01:00 on 25 October 2026, so P1D from the 24th at 12:00 ends on the 25th at 12:00, and PT24H at 11:00.
# Seen: both end at 12:00, in `event.end` and in the expansion. The two spellings cannot be told apart afterwards: both
# are timedelta(days=1). The guess was 11:00. Who compares appointments with such an event gives away, or keeps, an hour.
#
# Output seen:
#   P1D   2026-10-25T12:00:00+01:00  2026-10-25T12:00:00+01:00
#   PT24H 2026-10-25T12:00:00+01:00  2026-10-25T12:00:00+01:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install icalendar==7.3.2 recurring-ical-events==3.8.2
"$folder/venv/bin/python" - <<'PYTHON'
import datetime

import icalendar
import recurring_ical_events

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//example//EN
BEGIN:VEVENT
UID:visit
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20261024T120000
DURATION:%s
END:VEVENT
END:VCALENDAR
"""
for duration in ("P1D", "PT24H"):
    calendar = icalendar.Calendar.from_ical((TEXT % duration).replace("\n", "\r\n"))
    end = calendar.events[0].end
    [found] = recurring_ical_events.of(calendar).between((2026, 10, 20), (2026, 10, 30))
    expanded = found["DTEND"].dt
    print(f"{duration:5} {end.isoformat()}  {expanded.isoformat()}")
    assert end == expanded == datetime.datetime(2026, 10, 25, 11, tzinfo=datetime.timezone.utc), duration
PYTHON
