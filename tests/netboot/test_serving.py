"""The DHCP server is run, and started anew when it knows what is not so any more; here it is a script."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.labfixture import eventually

SERVER = """
trap 'echo ended >> "$0/said"; exit 0' TERM
echo started >> "$0/said"
while [ ! -e "$0/break" ]; do sleep 0.05; done
exit 7
"""


@contextmanager
def serving(root: Path) -> Iterator["subprocess.Popen[str]"]:
    leases = root / "leases"
    leases.write_text("an old lease")
    keeper = (sys.executable, "-m", "vclab.netboot.serving", f"--root={root}", f"--leases={leases}")
    with subprocess.Popen((*keeper, "sh", "-c", SERVER, str(root)), stderr=subprocess.PIPE, text=True) as process:
        try:
            said(root, "started")
            assert not leases.exists()
            yield process
        finally:
            process.terminate()


def said(root: Path, *lines: str) -> None:
    """Wait until the server has said exactly that."""
    file = root / "said"
    eventually(lambda: file.exists() and file.read_text().split() == [*lines], 10)


def test_it_is_started_anew_when_something_has_left(tmp_path: Path) -> None:
    with serving(tmp_path):
        for number in (1, 2):
            (tmp_path / "stale").write_text(str(number))
            said(tmp_path, "started", *("ended", "started") * number)
    said(tmp_path, *("started", "ended") * 3)


def test_who_rotates_its_log_ends_nothing(tmp_path: Path) -> None:
    """`systemctl kill` tells all processes of the unit."""
    with serving(tmp_path) as process:
        process.send_signal(signal.SIGUSR2)
        (tmp_path / "stale").write_text("1")
        said(tmp_path, "started", "ended", "started")
        assert process.poll() is None


def test_it_ends_as_the_server_does(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        (tmp_path / "break").touch()
        assert process.wait(10) == 7
