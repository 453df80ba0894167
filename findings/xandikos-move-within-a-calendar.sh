#!/usr/bin/env bash
# xandikos 0.4.10: an event cannot be renamed: MOVE within its calendar is refused, because of its own uid.
#
# RFC 4918 9.9 has MOVE for this, and RFC 4791 5.3.2.1 wants a uid to be one object's: after a MOVE it still is. Seen: 412 with
# no-uid-conflict, "UID already in use", and the event stays where it was; to another calendar it moves. The guess was 201.
#
# Output seen:
#   within its calendar: 412 no-uid-conflict
#   to another one:      201
#   left: /user/calendars/b/renamed.ics
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install xandikos==0.4.10
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/venv/bin/python" -W ignore -m xandikos serve --defaults --no-detect-systemd --directory "$folder/data" \
    --state-dir "$folder/state" --listen-address 127.0.0.1 --port "$port" >"$folder/log" 2>&1 &
server=$!
cat >"$folder/move.py" <<'PYTHON'
import http.client
import re
import sys
import time

BASE, EVENT = "/user/calendars/", "\r\n".join(
    ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//example//EN", "BEGIN:VEVENT", "UID:visit"]
    + ["DTSTAMP:20260101T000000Z", "DTSTART:20261102T150000Z", "DTEND:20261102T153000Z", "END:VEVENT", "END:VCALENDAR", ""]
)


def ask(method, path, body="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    connection.request(method, BASE + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


for _ in range(600):
    try:
        ask("OPTIONS", "")
        break
    except OSError:
        time.sleep(0.1)
for name in "ab":
    assert ask("MKCALENDAR", f"{name}/")[0] == 201
assert ask("PUT", "a/visit.ics", EVENT, **{"Content-Type": "text/calendar"})[0] == 201
for words, there in (("within its calendar:", "a"), ("to another one:     ", "b")):
    status, body = ask("MOVE", "a/visit.ics", Destination=f"{BASE}{there}/renamed.ics", Overwrite="F")
    print(words, status, *re.findall("no-uid-conflict", body))
found = [re.findall(r"href>([^<]+\.ics)<", ask("PROPFIND", f"{name}/", Depth="1")[1]) for name in "ab"]
print("left:", *found[0], *found[1])
PYTHON
seen=$("$folder/venv/bin/python" "$folder/move.py" "$port")
printf '%s\n' "$seen"
[ "$seen" = "within its calendar: 412 no-uid-conflict
to another one:      201
left: /user/calendars/b/renamed.ics" ]
