"""The environment variables of this process; the only place where they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping


def process_environment() -> Mapping[str, str]:
    """Return the environment variables as they are now, to be passed on to whoever needs one."""
    return dict(os.environ)
