"""What the imaging environment has in it: files of unpacked packages, as ``deploy/imaging/recipe.toml`` lists them."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vclab.model.errors import Failed
from vclab.netboot import cpio

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "imaging"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
MERGED = ("bin", "lib", "lib64", "sbin")
"""Directories that are links into usr, as on Debian."""
_DIRECTORIES = {"dev": 0o755, "mnt": 0o755, "proc": 0o555, "root": 0o700, "run/sshd": 0o755, "run/vclab": 0o755}
_DIRECTORIES |= {"sys": 0o555, "tmp": 0o1777, "var/tmp": 0o1777}


def not_built(why: str, hint: str = "") -> Failed:
    """The error of whatever can't go on; the tree or the recipe has to be mended."""
    return Failed(f"the imaging environment can't be built: {why}", hint)


def kernel_version(tree: Path) -> str:
    """The one of the packages."""
    (version,) = (tree / "usr/lib/modules").iterdir()
    return version.name


def inside(tree: Path, program: str, *words: str, name: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a program of the tree, with the tree's own libraries and without its root."""
    loader = tree / _LIBRARIES / "ld-linux-x86-64.so.2"
    named = ("--argv0", name) if name else ()
    command = [str(loader), "--library-path", str(tree / _LIBRARIES), *named, str(tree / program), *words]
    done = subprocess.run(command, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    if done.returncode:
        raise not_built(f"{program}: {done.stderr.decode(errors='replace')[-300:]}")
    return done


def fill(root: Path, tree: Path, recipe: Mapping[str, Any], version: str) -> None:
    """Put everything in its place."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    programs = [_program(tree, name) for name in recipe["programs"]]
    for path in (*programs, *recipe["files"]):
        _take(root, tree, path)
    _take_python(root, tree, recipe["python_left_out"])
    _take_libraries(root, tree)
    _take_modules(root, tree, version, recipe["modules"])
    _link_names(root, tree)
    shutil.copytree(RECIPE / "root", root, dirs_exist_ok=True)


def _program(tree: Path, name: str) -> str:
    for folder in ("usr/sbin", "usr/bin"):
        if (tree / folder / name).exists():
            return f"{folder}/{name}"
    raise not_built(f"no package of its recipe has {name}")


def _take(root: Path, tree: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tree / path, root / path)


def _take_python(root: Path, tree: Path, left_out: list[str]) -> None:
    library = tree / "usr/lib/python3.11"
    unwanted = {found for pattern in left_out for found in library.glob(pattern)}

    def left(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) / name in unwanted or name == "__pycache__"]

    shutil.copytree(library, root / "usr/lib/python3.11", ignore=left, ignore_dangling_symlinks=True)
    (root / "usr/bin/python3").symlink_to("python3.11")


def _take_libraries(root: Path, tree: Path) -> None:
    """Every library that something needs, under the name by which it is asked for."""
    loader = f"{_LIBRARIES}/ld-linux-x86-64.so.2"
    _take(root, tree, loader)
    (root / "usr/lib64/ld-linux-x86-64.so.2").symlink_to(f"/{loader}")
    for file in [file for file in root.rglob("*") if _is_elf(file)]:
        path = str(file.relative_to(root))
        for name in _needed(tree, path):
            _take(root, tree, f"{_LIBRARIES}/{name}")


def _is_elf(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or file.suffix == ".ko" or file.name.startswith("ld-linux"):
        return False
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _needed(tree: Path, path: str) -> Iterator[str]:
    """Names of the libraries of a program, those of its libraries too."""
    loader = tree / _LIBRARIES / "ld-linux-x86-64.so.2"
    command = [str(loader), "--library-path", str(tree / _LIBRARIES), "--list", str(tree / path)]
    done = subprocess.run(command, capture_output=True, text=True, env={"LC_ALL": "C"})
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, arrow, where = line.strip().partition(" => ")
        if arrow and where.startswith("not found"):
            raise not_built(f"{path} needs {name}, which no package has")
        if arrow and not name.startswith(("/", "linux-vdso")):
            yield name


def _take_modules(root: Path, tree: Path, version: str, wanted: list[str]) -> None:
    """The modules and those they depend on, with new lists of what is there."""
    place = f"usr/lib/modules/{version}"
    inside(tree, "usr/bin/kmod", "-b", str(tree), version, name="depmod")
    lines = (tree / place / "modules.dep").read_text().splitlines()
    needs = {file: rest.split() for file, _, rest in (line.partition(":") for line in lines)}
    by_name = {_module_name(file): file for file in needs}
    builtin = {_module_name(file) for file in (tree / place / "modules.builtin").read_text().split()}
    for name in wanted:
        file = by_name.get(_module_name(name))
        if file is None and _module_name(name) not in builtin:
            raise not_built(f"the kernel {version} has no module {name}")
        for each in (file, *needs[file]) if file else ():
            _take(root, tree, f"{place}/{each}")
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        _take(root, tree, f"{place}/{name}")
    inside(tree, "usr/bin/kmod", "-b", str(root), version, name="depmod")


def _module_name(file: str) -> str:
    return Path(file).name.removesuffix(".ko").replace("-", "_")


def _link_names(root: Path, tree: Path) -> None:
    """modprobe and its like, and every name of busybox that no other program has."""
    for name in ("modprobe", "insmod", "rmmod", "lsmod", "modinfo"):
        (root / "usr/sbin" / name).symlink_to("/usr/bin/kmod")
    taken = {file.name for folder in ("usr/bin", "usr/sbin") for file in (root / folder).iterdir()}
    for name in inside(tree, "usr/bin/busybox", "--list").stdout.decode().split():
        if name not in taken:
            (root / "usr/bin" / name).symlink_to("busybox")


def entries(root: Path) -> Iterator[cpio.Entry]:
    """All of a directory that was filled, with the directories that are empty and the console that the kernel opens."""
    made = {path: mode for whole, mode in _DIRECTORIES.items() for path, mode in _with_parents(whole, mode)}
    yield from (cpio.directory(path, mode) for path, mode in made.items())
    yield cpio.Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for file in root.rglob("*"):
        path = str(file.relative_to(root))
        if file.is_symlink():
            yield cpio.link(path, str(file.readlink()))
        elif file.is_dir():
            yield cpio.directory(path)
        else:
            yield cpio.file(path, file.read_bytes(), mode_of(file))


def _with_parents(path: str, mode: int) -> Iterator[tuple[str, int]]:
    parents = path.split("/")[:-1]
    yield from (("/".join(parents[: n + 1]), 0o755) for n in range(len(parents)))
    yield path, mode


def mode_of(file: Path) -> int:
    """Of a file in the archive: what the umask of whoever unpacked it left is not kept."""
    return 0o755 if file.stat().st_mode & 0o100 else 0o644
