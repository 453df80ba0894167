#!/usr/bin/env bash
# opening-hours-py 2.1.4: a holiday followed by weekdays is read as "the holiday or these weekdays".
#
# The specification of opening_hours (OpenStreetMap): "PH Mo-Fr" are public holidays that fall on Monday to Friday,
# "PH,Mo-Fr" are both. opening_hours.js 3.15.0 does that. Here `Mo-Fr 09:00-12:00; PH Mo-Fr off` is closed on each
# working day of the year, and `SH Mo-Fr 09:00-12:00` (during school holidays) is open on days that are none: no error,
# no warning. The guess was that the second expression needs holidays to be open at all.
#
# Output seen, for an ordinary Monday at 10:00:
#   Mo-Fr 09:00-12:00; PH Mo-Fr off    closed / open
#   SH Mo-Fr 09:00-12:00               open / closed
# (opening-hours-py / opening_hours.js)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install opening-hours-py==2.1.4
npm install --silent --no-audit --no-fund --prefix "$folder" opening_hours@3.15.0
cat >"$folder/ask.js" <<'JS'
const OpeningHours = require('opening_hours');
const place = {address: {country_code: 'de', state: 'Berlin'}};
process.stdout.write(new OpeningHours(process.argv[2], place).getState(new Date(2026, 10, 30, 10)) ? 'open' : 'closed');
JS
ask() {
  python=$("$folder/venv/bin/python" - "$1" <<'PYTHON'
import sys
from datetime import datetime

from opening_hours import OpeningHours

print("open" if OpeningHours(sys.argv[1], country="DE").is_open(datetime(2026, 11, 30, 10)) else "closed")
PYTHON
)
  printf '%-34s %s / %s\n' "$1" "$python" "$(cd "$folder" && node ask.js "$1")"
}
ask 'Mo-Fr 09:00-12:00; PH Mo-Fr off' | tee "$folder/off"
ask 'SH Mo-Fr 09:00-12:00' | tee "$folder/school"
grep -q 'closed / open$' "$folder/off"
grep -q 'open / closed$' "$folder/school"
