// Writes what opening_hours.js understands of each string of strings.txt:
//     cd tests/tools/opening_hours && npm install && npm run generate
// For each string the times at which it is surely open, in minutes since the start of each period; null if it is refused.
import { readFileSync, writeFileSync } from "node:fs";
import opening_hours from "opening_hours";

const TESTS = new URL("../../actions/scheduling/opening/", import.meta.url);
const PERIODS = [["2026-11-22", "2026-12-07"], ["2026-12-20", "2027-01-10"], ["2027-02-26", "2027-03-08"], ["2027-03-22", "2027-04-06"]];
const BERLIN = { lat: 52.5, lon: 13.4, address: { country_code: "de", state: "Berlin" } };

const at = (day) => new Date(`${day}T00:00:00`);
function read(text) {
  let hours;
  try {
    hours = new opening_hours(text, BERLIN, { mode: 0, locale: "en" });
  } catch {
    return null;
  }
  return PERIODS.map(([first, end]) =>
    hours.getOpenIntervals(at(first), at(end))
      .filter(([, , unknown]) => !unknown)
      .map(([from, to]) => [(from - at(first)) / 60000, (to - at(first)) / 60000]));
}

const strings = readFileSync(new URL("strings.txt", TESTS), "utf8").split("\n").filter(Boolean);
const found = strings.map((text) => `  ${JSON.stringify(text)}: ${JSON.stringify(read(text))}`).join(",\n");
writeFileSync(new URL("expected.json", TESTS), `{\n"periods": ${JSON.stringify(PERIODS)},\n"open": {\n${found}\n}\n}\n`);
