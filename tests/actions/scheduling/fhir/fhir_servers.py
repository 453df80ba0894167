"""A real FHIR R4 server (Medplum's router with its memory repository) as a process, and what people do in it.

To try it out by hand::

    python -m tests.actions.scheduling.fhir.fhir_servers --port 8103
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path

from actions.scheduling.fhir.resources import FhirSlot
from actions.scheduling.models import Slot
from tests.processes import PATIENCE

SOURCES = Path(__file__).parent / "fhir_server"
HALF_AN_HOUR = timedelta(minutes=30)
_INSTALL_SECONDS = 300

Json = dict[str, Any]


class NoNodeError(Exception):
    """There is no Node.js on this machine."""


def modules() -> Path:
    """Return the folder with the server's packages; the first to ask installs them in about two seconds."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        raise NoNodeError(f"not installed: {' and '.join(missing)}")
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = user_cache_path("action-server-tests", appauthor=False) / f"fhir-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    """Install into a folder beside it and move that there in one step: others see all of it, or nothing."""
    with tempfile.TemporaryDirectory(prefix="fhir-", dir=folder.parent) as temporary:
        mine = Path(temporary) / "modules"
        mine.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, mine)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],  # noqa: S607
            cwd=mine,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"npm could not install the packages of {SOURCES.name}:\n{done.stderr[-2000:]}")
        try:
            mine.rename(folder)
        except OSError:
            if not folder.exists():  # else somebody else was faster
                raise


@dataclass
class FhirServer:
    """A running server. What is done through this needs no credentials and meets no faults."""

    port: int

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The service's base address."""
        return f"{self.root}/fhir/R4"

    @property
    def token_url(self) -> str:
        return f"{self.root}/token"

    def control(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request below /control; return the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, f"/control{path}", None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def put(self, resource: Mapping[str, Any]) -> Json:
        """Write a resource as it is, under the id that it names."""
        status, body = self.control("PUT", f"/fhir/{resource['resourceType']}/{resource['id']}", resource)
        assert status in (200, 201), body
        found: Json = body
        return found

    def all(self, kind: str) -> list[Json]:
        """Return every resource of a type."""
        status, bundle = self.control("GET", f"/fhir/{kind}?_count=1000")
        assert status == 200, bundle
        return [entry["resource"] for entry in bundle.get("entry", ())]

    def fail(self, method: str, path: str, **fault: object) -> None:
        """Let the next request that fits meet a fault, as server.mjs describes it; `path` is a regular expression."""
        self.fail_all([{"method": method, "path": path, **fault}])

    def fail_all(self, faults: Sequence[Mapping[str, object]]) -> None:
        """Let so many faults be met, one request each."""
        self.control("POST", "/faults", list(faults))

    def requests(self) -> list[str]:
        """Return method and path of every request since the server was emptied."""
        found: list[str] = self.control("GET", "/requests")[1]
        return found

    def empty(self) -> None:
        """Forget resources, faults and requests."""
        self.control("POST", "/clear")

    def expire_tokens(self) -> None:
        """Let every token that was issued be refused from now on."""
        self.control("POST", "/expire")

    def seed(self, schedule: str, first: datetime, count: int, *, length: timedelta = HALF_AN_HOUR) -> None:
        """Create a Schedule of a doctor, and free Slots one after another."""
        name = schedule.removeprefix("Schedule/")
        self.put({"resourceType": "Practitioner", "id": f"doctor-{name}", "name": [{"text": f"Dr. {name}"}]})
        actor = {"reference": f"Practitioner/doctor-{name}", "display": f"Dr. {name}"}
        self.put({"resourceType": "Schedule", "id": name, "active": True, "actor": [actor]})
        for number in range(count):
            self.put(slot_resource(schedule, first + number * length, length))

    def slots(self, schedule: str, wanted: Slot) -> list[Json]:
        """Return the Slots of a Schedule that overlap the time."""
        return [
            one
            for one in self.all("Slot")
            if one["schedule"]["reference"] == schedule
            and (slot := FhirSlot.read(one)) is not None
            and slot.overlaps(wanted)
        ]


def slot_resource(schedule: str, start: datetime, length: timedelta = HALF_AN_HOUR, **more: object) -> Json:
    """Return a free Slot; its id names its Schedule, start and length."""
    name = f"{schedule.removeprefix('Schedule/')}-{start:%Y%m%dT%H%M}-{length.seconds // 60}"
    times = {"start": start.isoformat(), "end": (start + length).isoformat()}
    return {"resourceType": "Slot", "id": name, "schedule": {"reference": schedule}, "status": "free", **times, **more}


@contextmanager
def fhir_server(**config: object) -> Iterator[FhirServer]:
    """Run a server on a free port within the block; server.mjs says what can be configured."""
    process = subprocess.Popen(
        ["node", str(SOURCES / "server.mjs"), json.dumps({"modules": str(modules()), **config})],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the FHIR server ended with exit code {process.wait(PATIENCE)}"
        yield FhirServer(json.loads(line)["port"])
    finally:
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def fhir_server_or_skip(**config: object) -> Iterator[FhirServer]:
    """Run a server, or skip where there is no Node.js; in CI there has to be."""
    try:
        modules()
    except NoNodeError as exc:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{exc}: the tests of FHIR need Node.js 20 or later")
    with fhir_server(**config) as server:
        yield server


def main() -> None:
    """Serve two Schedules with free Slots, 08:00 to 16:00 UTC of the next seven days, until it is interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=8103)
    with fhir_server(port=parser.parse_args().port) as server:
        today = datetime.now(timezone.utc).replace(hour=8, minute=0, second=0, microsecond=0)
        for schedule in ("Schedule/practice", "Schedule/specialist"):
            for day in range(1, 8):
                server.seed(schedule, today + timedelta(days=day), 16)
        print(f"serving {server.url}", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
