#!/usr/bin/env bash
# fhirpathpy 2.2.4, with its R4 model: two instants of a resource are compared as text, an instant and a literal in time.
#
# A Slot from 10:00+01:00 (09:00 UTC) to 09:30 UTC begins before it ends. FHIRPath 2.0 (comparison): dateTime values with
# different offsets are brought to one. Seen: `Slot.start < Slot.end` is false, though `Slot.start.type()` is instant and
# each of them compares rightly with a literal. Adding a quantity to a time with an offset raises UnboundLocalError; with
# `Z` it works. The guess was true, and 10:30+01:00.
#
# Output seen:
#   Slot.start.type().name                                 instant
#   Slot.start < @2026-11-30T09:30:00Z                     True
#   Slot.end > @2026-11-30T09:00:00Z                       True
#   Slot.start < Slot.end                                  False
#   Slot.end + 30 minutes                                  2026-11-30T10:00:00.000+00:00
#   Slot.start + 30 minutes                                UnboundLocalError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install fhirpathpy==2.2.4
"$folder/venv/bin/python" - <<'PYTHON'
import fhirpathpy
from fhirpathpy.models import models

SLOT = {"resourceType": "Slot", "start": "2026-11-30T10:00:00+01:00", "end": "2026-11-30T09:30:00Z"}
SEEN = {
    "Slot.start.type().name": "instant",
    "Slot.start < @2026-11-30T09:30:00Z": "True",
    "Slot.end > @2026-11-30T09:00:00Z": "True",
    "Slot.start < Slot.end": "False",
    "Slot.end + 30 minutes": "2026-11-30T10:00:00.000+00:00",
    "Slot.start + 30 minutes": "UnboundLocalError",
}


def outcome(expression):
    try:
        return " ".join(map(str, fhirpathpy.evaluate(SLOT, expression, {}, models["r4"])))
    except Exception as error:
        return type(error).__name__


found = {expression: outcome(expression) for expression in SEEN}
for expression, value in found.items():
    print(f"{expression:54} {value}")
assert found == SEEN
PYTHON
