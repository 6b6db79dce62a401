"""An SSH server on this machine that lets in whoever runs it: what travels to it is encrypted, as to any other node."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import free_port

SERVER = "/usr/sbin/sshd"
PATIENCE = 20.0
"""Seconds until it must answer."""


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, ...]]:
    """The words of ``ssh`` to it; it runs until this is left. Raises ``RuntimeError`` when it does not answer."""
    port = free_port()
    for name in ("host", "user"):
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(words, check=True)
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\n"
    )
    with contextlib.suppress(PermissionError):  # only root's needs it
        Path("/run/sshd").mkdir(exist_ok=True)
    options = (f"UserKnownHostsFile={folder}/known", "BatchMode=yes", "IdentitiesOnly=yes", "LogLevel=ERROR")
    given = tuple(word for option in options for word in ("-o", option))
    found = ("ssh", "-F", "none", "-i", str(folder / "user"), *given, "-p", str(port), "127.0.0.1")
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen((SERVER, "-D", "-e", "-f", str(folder / "config")), stderr=log)
    try:
        _await(found, folder / "log")
        yield found
    finally:
        running.terminate()
        running.wait()


def _await(words: tuple[str, ...], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while (ran := subprocess.run((*words, "true"), capture_output=True, text=True)).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError(f"sshd does not answer: {ran.stderr.strip()}; it says: {log.read_text().strip()[-500:]}")
        time.sleep(0.05)
