#!/usr/bin/env bash
# hypothesis-jsonschema 0.23.1, the newest: with hypothesis 6.170.15 no schema of an object gives values.
#
# Its metadata asks for hypothesis 6.84 or later. Seen: integers and lists are generated as ever; whatever is an object,
# closed, open or a map, raises AttributeError inside of the package, which uses a helper of hypothesis' internals that has
# changed. With hypothesis 6.140.0 all of them work. The guess was that a version the installer takes works, or that the
# simplest schema would fail as well.
#
# Output seen:
#   schema           hypothesis 6.140.0    hypothesis 6.170.15
#   integer          ok                    ok
#   list             ok                    ok
#   closed object    ok                    AttributeError
#   open object      ok                    AttributeError
#   map              ok                    AttributeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/try.py" <<'PYTHON'
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis_jsonschema import from_schema

INTEGER = {"type": "integer"}
SCHEMAS = {
    "integer": INTEGER,
    "list": {"type": "array", "items": INTEGER},
    "closed object": {"type": "object", "properties": {"a": INTEGER}, "required": ["a"], "additionalProperties": False},
    "open object": {"type": "object"},
    "map": {"type": "object", "additionalProperties": INTEGER},
}


def outcome(schema):
    @settings(max_examples=30, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(from_schema(schema))
    def take(value):
        pass

    try:
        take()
    except Exception as error:
        return type(error).__name__
    return "ok"


found = {name: outcome(schema) for name, schema in SCHEMAS.items()}
for name, result in found.items():
    print(f"{name:16} {result}")
objects = sys.argv[1]
assert found == {**dict.fromkeys(SCHEMAS, objects), "integer": "ok", "list": "ok"}
PYTHON
for pair in 6.140.0:ok 6.170.15:AttributeError; do
  python3 -m venv --clear "$folder/venv"
  "$folder/venv/bin/pip" --quiet --disable-pip-version-check install hypothesis-jsonschema==0.23.1 "hypothesis==${pair%:*}"
  echo "hypothesis ${pair%:*}"
  "$folder/venv/bin/python" "$folder/try.py" "${pair#*:}"
done
