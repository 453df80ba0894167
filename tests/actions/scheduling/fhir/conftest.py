"""What several files of tests of FHIR need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actions.scheduling.fhir.fhir_servers import FhirServer, fhir_server_or_skip


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FhirServer, FhirServer]]:
    """A server, and one for searches that lag behind."""
    with fhir_server_or_skip() as server, fhir_server_or_skip() as index:
        yield server, index
