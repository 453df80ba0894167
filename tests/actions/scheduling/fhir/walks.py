"""Walk at random over the variants of a FHIR server, and count what went wrong::

python -m tests.actions.scheduling.fhir.walks --walks 1000
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.actions.scheduling.fhir.fhir_servers import fhir_server_or_skip
from tests.actions.scheduling.fhir.variants import VARIANTS
from tests.actions.scheduling.fhir.walk import walking
from tests.actions.scheduling.walking import Open, run_from_the_command_line


@contextmanager
def fhir_walks() -> Iterator[Open]:
    """Run what walks need for the length of the block: a server, and one for searches that lag behind."""
    with fhir_server_or_skip() as server, fhir_server_or_skip() as index:
        yield lambda variant, folder, random: walking(VARIANTS[variant], (server, index), folder, random)


def main() -> None:
    """Walk as the command line says."""
    with fhir_walks() as opens:
        run_from_the_command_line(opens, list(VARIANTS), __doc__)


if __name__ == "__main__":
    main()
