"""Trees of Debian's packages, made with mmdebstrap, and the cache where what is built once is kept."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vclab.model.errors import VclabError

SUITE = "bookworm"
PROXY_KEYS = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date")

Say = Callable[[str], None]


class TreeNotMade(VclabError):
    """mmdebstrap is missing, or it could not make a tree; the message is the reason alone."""


def cache() -> Path:
    """Where everything that is fetched or built once is kept; made if it is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vclab"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time works in the directory. Goes with the process."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make_tree(target: Path, packages: Sequence[str], *options: str) -> None:
    """Run mmdebstrap, with this machine's own mirrors and proxies, into a directory that is not there yet.

    Raises ``TreeNotMade``.
    """
    if shutil.which("mmdebstrap") is None:
        raise TreeNotMade("the package mmdebstrap is missing", "install it: apt-get install mmdebstrap")
    command = ["mmdebstrap", "--format=directory", f"--include={','.join(packages)}", *options]
    command += [f"--aptopt={line}" for line in _apt_configuration()]
    command += [SUITE, str(target), *_sources()]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        reason = "the disk is full" if "No space left" in ran.stderr else _reason(ran.stderr)
        raise TreeNotMade(reason, "mend that (does `apt-get update` work?), then try again")


def _reason(said: str) -> str:
    """apt's first error, else the last line."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()] or ["no reason given"]
    return next((line.removeprefix("E: ") for line in lines if line.startswith("E: ")), lines[-1])


def _apt_configuration() -> list[str]:
    """This machine's own proxies and certificates, which mmdebstrap would not take by itself."""
    dump = subprocess.run(["apt-config", "dump", *PROXY_KEYS], capture_output=True, text=True).stdout
    return [line for line in dump.splitlines() if not line.endswith('"";')]


def _sources() -> list[str]:
    """This machine's own mirrors of the suite; Debian's where it has none (mmdebstrap's default)."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = sorted(set(subprocess.run(command, capture_output=True, text=True).stdout.splitlines()))
    wanted = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    own = [line for line in lines if line.split()[2] in wanted and line.split()[3] == "main"]
    return own if any(line.split()[2] == SUITE for line in own) else []
