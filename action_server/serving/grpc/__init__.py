"""The webhook over gRPC."""

from __future__ import annotations

import os

# gRPC's core writes lines of its own past every log, one for each worker that stops; what matters is said by ours.
os.environ.setdefault("GRPC_VERBOSITY", "none")
