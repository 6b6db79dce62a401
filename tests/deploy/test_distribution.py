"""What people install: the command line alone, without root, in an empty environment, against a server that runs."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import serving, token_of
from tests.service.conftest import Lab, lab, seeded

__all__ = ["lab", "seeded"]

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
SYSTEM = Path("/usr/bin/python3")
LOCAL_VERBS = ("up", "down", "demo", "store", "doctor", "bench")
ABSENT = (
    "sqlalchemy",
    "temporalio",
    "pyVmomi",
    "asyncssh",
    "fastapi",
    "pydantic_settings",
    "click",
    "workflows",
    "worker",
)


class Installed:
    """An environment of its own, made and used without root rights where that is possible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account: dict[str, Any] = {}
        python = Path(sys.executable)
        if os.geteuid() == 0 and _is_like_ours(SYSTEM):
            self.account, python = {"user": NOBODY, "group": NOBODY, "extra_groups": []}, SYSTEM
            os.chown(folder, NOBODY, NOBODY)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        self._run(str(python), "-m", "venv", str(folder / "venv"))
        self.site = next((folder / "venv" / "lib").iterdir()) / "site-packages"

    def install(self, wheel: Path) -> None:
        """The wheel, and those packages that it needs, as this environment has them: nothing is fetched."""
        for needed in _needs("vclab"):
            _copy(needed, self.site)
        python = str(self.folder / "venv" / "bin" / "python")
        self._run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False, **self.account
        )
        assert done.returncode == 0, done.stdout + done.stderr

    async def vclab(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """A command; its exit code, and what it said."""
        return await self.run(str(self.folder / "venv" / "bin" / "vclab"), *words, **environment)

    async def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        child = await asyncio.create_subprocess_exec(
            *words,
            env=self.environment | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **self.account,
        )
        out, err = await asyncio.wait_for(child.communicate(), 60)
        return child.returncode or 0, out.decode(), err.decode()


def _is_like_ours(python: Path) -> bool:
    """It is there, and what was compiled for this one fits it."""
    ask = "import ensurepip, sys, venv; print(sys.version_info[:2])"
    if not python.exists():
        return False
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() == str(sys.version_info[:2])


def _needs(name: str) -> list[Distribution]:
    """All that a distribution needs without its extras, and what that needs."""
    found: dict[str, Distribution] = {}
    wanted = _requires(distribution(name))
    while wanted:
        one = wanted.pop()
        if one not in found:
            found[one] = distribution(one)
            wanted += [each for each in _requires(found[one]) if _is_installed(each)]
    return list(found.values())


def _requires(one: Distribution) -> list[str]:
    lines = [line for line in one.requires or () if "extra ==" not in line]
    return [match[0].lower() for line in lines if (match := re.match(r"[A-Za-z0-9._-]+", line))]


def _is_installed(name: str) -> bool:
    """What a marker leaves out on this platform is not."""
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


def _copy(one: Distribution, site: Path) -> None:
    for file in one.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), site / file)


@pytest.fixture(scope="module")
def wheels() -> Iterator[dict[str, Path]]:
    """Both distributions, by name."""
    with tempfile.TemporaryDirectory(prefix="vclab-wheels-") as name:
        Path(name).chmod(0o755)
        words = [sys.executable, str(CHECKOUT / "deploy" / "wheels.py"), name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield {Path(line).name.partition("-")[0]: Path(line) for line in done.stdout.splitlines()}


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path]) -> Iterator[Installed]:
    """The command line alone."""
    with tempfile.TemporaryDirectory(prefix="vclab-installed-") as name:
        made = Installed(Path(name))
        made.install(wheels["vclab"])
        yield made


async def test_the_command_line_alone(installed: Installed) -> None:
    code, out, _ = await installed.vclab("--help")
    assert code == 0
    verbs = [
        line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.startswith("  ") and line.strip()
    ]
    assert {"login", "list", "connect", "config-ssh", "context"} <= set(verbs)
    assert not set(LOCAL_VERBS) & set(verbs)
    for verb in ("up", "doctor"):
        code, _, err = await installed.vclab(verb)
        assert code == 2 and f"No such command '{verb}'" in err
    missing = f"import importlib.util as u; print([n for n in {ABSENT} if u.find_spec(n)])"
    code, out, err = await installed.run(str(installed.folder / "venv" / "bin" / "python"), "-c", missing)
    assert (code, out) == (0, "[]\n"), err


async def test_it_says_that_no_server_is_known(installed: Installed) -> None:
    code, _, err = await installed.vclab("list")
    assert (code, err) == (3, "vclab: list: no server is known here; run `vclab login URL`\n")


async def test_it_lists_what_a_server_has(installed: Installed, lab: Lab) -> None:
    view = lab.reserved()
    token = installed.folder / "token"
    token.write_text(token_of(lab.backend, "alice"))
    if installed.account:
        os.chown(token, NOBODY, NOBODY)
    token.chmod(0o600)
    async with serving(lab.backend) as url:
        code, out, err = await installed.vclab("list", VCLAB_URL=url, VCLAB_TOKEN_FILE=str(token))
        assert (code, err) == (0, "") and view.id in out
        code, _, err = await installed.vclab("list", VCLAB_URL=url)
        assert code == 3 and err.endswith(f"run `vclab login {url}`\n")


async def test_every_verb_is_there_without_the_server(installed: Installed) -> None:
    """Whatever a verb imports is among what the command line needs."""
    check = """
from importlib import import_module
from vclab.cli.verbs import NOUNS, VERBS
from vclab.contract import USE_CASES
for verb in (*VERBS, *NOUNS):
    module, _, name = verb.place.partition(":")
    getattr(import_module(module), name)
print(len(USE_CASES) > 50)
"""
    code, out, err = await installed.run(str(installed.folder / "venv" / "bin" / "python"), "-c", check)
    assert (code, out) == (0, "True\n"), err


def test_the_server_is_all_the_rest(wheels: dict[str, Path]) -> None:
    """No file is in both, and together they are the checkout's."""
    import zipfile

    found = {name: set(zipfile.ZipFile(wheel).namelist()) for name, wheel in wheels.items()}
    files = {name: {file for file in of if ".dist-info/" not in file} for name, of in found.items()}
    assert not files["vclab"] & files["vclab_server"]
    there = {
        str(file.relative_to(CHECKOUT))
        for top in ("vclab", "workflows", "activities")
        for file in (CHECKOUT / top).rglob("*.py")
    }
    assert there <= files["vclab"] | files["vclab_server"]
    assert {"worker.py", "workflows/reservation.py", "vclab/service/acts.py"} <= files["vclab_server"]
    assert "vclab/lab/files/boot" in files["vclab_server"] and "vclab/py.typed" in files["vclab"]
