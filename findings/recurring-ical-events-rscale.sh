#!/usr/bin/env bash
# recurring-ical-events 3.8.2: one event with RSCALE ends the expansion of its whole calendar, and the error blames UNTIL.
#
# RSCALE and SKIP (RFC 7529) are what calendars write for "the last day of each month, or the one before". icalendar
# 7.3.2 reads the rule. Expanding raises BadRuleStringFormat, which says that UNTIL is missing, although no rule needs
# one; the neighbour without any rule is lost with it. The guess was that SKIP is done or passed over, or that the
# error names RSCALE.
#
# Output seen:
#   BadRuleStringFormat: UNTIL parameter is missing
#   without the rule: 2 events
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install icalendar==7.3.2 recurring-ical-events==3.8.2
"$folder/venv/bin/python" - <<'PYTHON'
import icalendar
import recurring_ical_events

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//example//EN
BEGIN:VEVENT
UID:rent
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260831
{rule}END:VEVENT
BEGIN:VEVENT
UID:visit
DTSTAMP:20260101T000000Z
DTSTART:20260901T090000Z
DURATION:PT1H
END:VEVENT
END:VCALENDAR
"""


def expanded(rule):
    calendar = icalendar.Calendar.from_ical(TEXT.format(rule=rule).replace("\n", "\r\n"))
    return recurring_ical_events.of(calendar).between((2026, 8, 1), (2026, 10, 1))


try:
    expanded("RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD\n")
except Exception as error:
    name, message = type(error).__name__, str(error).partition(":")[0]
    print(f"{name}: {message}")
    assert name == "BadRuleStringFormat" and "UNTIL" in message and "RSCALE" not in message
else:
    raise SystemExit("the rule is expanded now")
print(f"without the rule: {len(expanded(''))} events")
assert len(expanded("")) == 2
PYTHON
