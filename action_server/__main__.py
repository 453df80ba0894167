"""``python -m action_server``: the command line."""

import sys

from action_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
