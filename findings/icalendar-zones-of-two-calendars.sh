#!/usr/bin/env bash
# icalendar 7.3.2: the first VTIMEZONE of a name counts for the whole process, whichever calendar it came from.
#
# Outlook names a zone that somebody made "Customized Time Zone", so two calendars use one TZID for different offsets.
# RFC 5545 3.8.3.1: a TZID is unique within one calendar object. Seen: read after one another in one process, the second
# calendar's 15:00 gets the first one's offset; in a process of its own it has its own. The guess was that each object's
# times follow its own VTIMEZONE.
#
# Output seen:
#   alone:  2026-11-02T15:00:00-05:00
#   second: 2026-11-02T15:00:00+02:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install icalendar==7.3.2
cat >"$folder/read.py" <<'PYTHON'
import sys

import icalendar

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//example//EN
BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{0}
TZOFFSETTO:{0}
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:visit
DTSTAMP:20260101T000000Z
DTSTART;TZID=Customized Time Zone:20261102T150000
DURATION:PT1H
END:VEVENT
END:VCALENDAR
"""
for offset in sys.argv[1:]:
    calendar = icalendar.Calendar.from_ical(TEXT.format(offset).replace("\n", "\r\n"))
print(calendar.events[0].start.isoformat())
PYTHON
alone=$("$folder/venv/bin/python" "$folder/read.py" -0500)
second=$("$folder/venv/bin/python" "$folder/read.py" +0200 -0500)
printf 'alone:  %s\nsecond: %s\n' "$alone" "$second"
[ "$alone" = 2026-11-02T15:00:00-05:00 ] && [ "$second" = 2026-11-02T15:00:00+02:00 ]
