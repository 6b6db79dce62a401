"""Runs the DHCP server of a provisioning network, and starts it anew when what it knows is not so any more.

    python -m vclab.netboot.serving [--root FOLDER] [--leases FILE] dnsmasq --keep-in-foreground …

dnsmasq (2.90) sees a machine that is new in its directory of hosts by itself, but forgets none: it ignores a line whose
address an entry has that is gone from the directory, and keeps a lease of that address for an hour. SIGHUP has it
forget entries, and no leases. So it is started anew, without leases, when ``Nodes`` says so (``STALE``): machines ask
again, and get the addresses of their files. A file that a machine was just fetching fails there; it is rare that a node
leaves, or is given another address.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vclab.netboot.dnsmasq import LEASES, STALE

LOOK = 1.0
"""Seconds until it is looked again: a machine needs longer from its power-on to its first question."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end, or until the server ends by itself: its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/var/lib/vclab-netboot"))
    parser.add_argument("--leases", type=Path, default=LEASES)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    # It tells dnsmasq to open its log anew; who rotates that tells all processes of the unit.
    signal.signal(signal.SIGUSR2, lambda number, frame: None)
    while (code := _served(asked.command, asked.root / STALE, asked.leases)) is None:
        print("a machine has left, or has another address: DHCP is started anew", file=sys.stderr, flush=True)
    return code


def _served(command: Sequence[str], stale: Path, leases: Path) -> int | None:
    """Run the server until it ends (its exit code), or knows what is not so any more (None)."""
    leases.unlink(missing_ok=True)
    before = _text(stale)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            while server.poll() is None:
                time.sleep(LOOK)
                if _text(stale) != before:
                    return None
            return server.returncode
        finally:
            server.terminate()


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
