#!/usr/bin/env bash
# opening_hours.js 3.15.0: days of February that end on the 28th are open in leap years only.
#
# `Feb 20-28 08:00-17:00` says the same as `Feb 20-Feb 28 08:00-17:00`, and `Feb 20-27` is open each year. But the first
# one is closed on 25 February 2027 and open on that day of 2028: no error, no warning. The guess was that one of
# the two spellings is refused. Beside it, whole days of one year: `2026 Mo-Fr` is closed on 1 January 2027 when that
# moment is asked about, and open on it (to the next Saturday) when intervals over the new year are.
#
# Output seen:
#   Feb 20-28 08:00-17:00        2027 closed, 2028 open
#   Feb 20-Feb 28 08:00-17:00    2027 open, 2028 open
#   Feb 20-27 08:00-17:00        2027 open, 2028 open
#   2026 Mo-Fr                   1 January 2027 closed, in an interval open
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" opening_hours@3.15.0
cat >"$folder/ask.js" <<'JS'
const OpeningHours = require('opening_hours');
const said = (open) => open ? 'open' : 'closed';
for (const text of ['Feb 20-28 08:00-17:00', 'Feb 20-Feb 28 08:00-17:00', 'Feb 20-27 08:00-17:00']) {
  const [first, second] = [2027, 2028].map((year) => said(new OpeningHours(text).getState(new Date(year, 1, 25, 10))));
  console.log(`${text.padEnd(28)} 2027 ${first}, 2028 ${second}`);
}
const hours = new OpeningHours('2026 Mo-Fr');
const noon = new Date(2027, 0, 1, 12);
const inside = hours.getOpenIntervals(new Date(2026, 11, 20), new Date(2027, 0, 10)).some(([a, b]) => a <= noon && noon < b);
console.log(`${'2026 Mo-Fr'.padEnd(28)} 1 January 2027 ${said(hours.getState(noon))}, in an interval ${said(inside)}`);
JS
(cd "$folder" && TZ=UTC node ask.js) | tee "$folder/out"
grep -q '^Feb 20-28 .* 2027 closed, 2028 open$' "$folder/out"
grep -q '^2026 Mo-Fr .* closed, in an interval open$' "$folder/out"
