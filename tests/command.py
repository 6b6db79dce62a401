"""The command line as a program, which believes ``--as``; without it, that one is alice, who is also root.

As ``vclab`` itself it imports next to nothing before it knows what Ctrl-C means.
"""

import logging
import sys


def main() -> None:
    """``python -m tests.command``."""
    try:
        from tests import believing
        from vclab.cli import client
        from vclab.cli.main import main
    except KeyboardInterrupt:
        sys.exit(130)
    logging.getLogger("vclab").addHandler(logging.NullHandler())  # what a server would log
    client.make_client = believing.make_client
    main()


if __name__ == "__main__":
    main()
