"""The imaging environment: a kernel, an initramfs and the boot loaders, built from Debian's packages.

``deploy/imaging`` has the recipe. Root is not needed: packages are unpacked, none is installed, and none of their
scripts run. What is unpacked is packed by what is in it (its zstd, its depmod), so that the same packages give the same
bytes on every machine. There is no secret in it, and no host key.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vclab.debian import SUITE, Say, TreeNotMade, cache, locked, make_tree
from vclab.model.errors import Failed
from vclab.netboot import cpio

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "imaging"
KERNEL, INITRD, MANIFEST = "vmlinuz", "initrd.img", "manifest.json"
IPXE_BIOS, IPXE_UEFI, SHIM, GRUB = "undionly.kpxe", "snponly.efi", "shimx64.efi", "grubx64.efi"
LOADERS = {
    IPXE_BIOS: f"usr/lib/ipxe/{IPXE_BIOS}",
    IPXE_UEFI: f"usr/lib/ipxe/{IPXE_UEFI}",
    SHIM: f"usr/lib/shim/{SHIM}.signed",
    GRUB: "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
}
LARGEST = 60 << 20
"""Bytes of kernel and initramfs together: each machine that boots reads them by TFTP."""

_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_MERGED = ("bin", "lib", "lib64", "sbin")
_DIRECTORIES = {"dev": 0o755, "mnt": 0o755, "proc": 0o555, "root": 0o700, "run/sshd": 0o755, "run/vclab": 0o755}
_DIRECTORIES |= {"sys": 0o555, "tmp": 0o1777, "var/tmp": 0o1777}
_LEVEL = 9  # of zstd: 19 saves a tenth, and takes fifty times as long
_OTHERS_KEPT = 2
_VERSIONS = "packages"  # a file beside the tree: what was unpacked


@dataclass(frozen=True)
class Environment:
    """What was built, in a directory of its own."""

    folder: Path

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """``name``, the ``packages`` with their versions, and each of the ``files`` with size and SHA-256."""
        found: Mapping[str, Any] = json.loads((self.folder / MANIFEST).read_text())
        return found

    @property
    def name(self) -> str:
        """Changes with every byte of it."""
        return str(self.manifest["name"])


def key() -> str:
    """Changes with everything that the environment is made of, but for the versions of Debian's packages."""
    digest = hashlib.sha256(SUITE.encode())
    for file in (Path(__file__), Path(cpio.__file__), *sorted(RECIPE.rglob("*"))):
        if file.is_file():
            digest.update(f"\0{file.name}\0{_mode(file):o}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def environment(say: Say, again: bool = False) -> Environment:
    """The environment of this recipe; built first if there is none, or ``again`` (of today's packages). About a minute.

    Raises ``Failed``.
    """
    place = cache() / "imaging" / f"debian-{SUITE}-{key()}"
    place.parent.mkdir(exist_ok=True)
    if again or not place.is_dir():
        with locked(place.parent):
            if again or not place.is_dir():
                _replace(place, say)
    return Environment(place)


def _replace(place: Path, say: Say) -> None:
    for stale in place.parent.glob(".new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as work:
        build(Path(work) / "made", say)
        if place.exists():
            place.rename(Path(work) / "old")
        (Path(work) / "made").rename(place)
    forget_old(place.parent, {place.name})


def forget_old(folder: Path, kept: Set[str]) -> None:
    """Of the environments in a folder only those of these names stay, and the newest others."""
    others = [one for one in folder.iterdir() if one.name not in kept and not one.name.startswith(".")]
    for old in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[_OTHERS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def build(folder: Path, say: Say) -> Environment:
    """Build it into a directory that is not there yet. Raises ``Failed``."""
    if not (RECIPE / "recipe.toml").is_file():
        raise Failed(f"the imaging environment can't be built: {RECIPE} is missing", "build it in a checkout of vclab")
    recipe = tomllib.loads((RECIPE / "recipe.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="vclab-imaging-") as work:
        say(f"unpacking the packages of the imaging environment (Debian {SUITE}; usually a minute)")
        tree, root = Path(work) / "tree", Path(work) / "root"
        try:
            versions = _unpack(tree, recipe["packages"])
        except TreeNotMade as error:
            raise Failed(f"the imaging environment can't be built: {error}") from None
        version = _kernel_version(tree)
        _fill(root, tree, recipe, version)
        (root / "etc/vclab").mkdir(parents=True)
        (root / "etc/vclab/environment").write_text(f"imaging environment {key()}, Debian {SUITE}\n")
        say("compressing the imaging environment (usually some seconds)")
        folder.mkdir()
        shutil.copy(tree / f"boot/vmlinuz-{version}", folder / KERNEL)
        for name, source in LOADERS.items():
            shutil.copy(tree / source, folder / name)
        _pack(root, folder / INITRD, tree, _epoch(tree))
    _write_manifest(folder, versions)
    size = sum((folder / name).stat().st_size for name in (KERNEL, INITRD))
    if size > LARGEST:
        raise Failed(f"the imaging environment has {size >> 20} MiB, but no more than {LARGEST >> 20} are allowed")
    say(f"built the imaging environment: {size / (1 << 20):.1f} MiB")
    return Environment(folder)


def _unpack(tree: Path, packages: list[str]) -> dict[str, str]:
    """Unpack the packages and what they need; the version of each."""
    merge = 'cd "$1" && ' + " && ".join(f"mkdir -p usr/{name} && ln -s usr/{name} {name}" for name in _MERGED)
    listed = f'ls "$1/var/cache/apt/archives" >"{tree.parent}/{_VERSIONS}"'
    hooks = (f"--setup-hook={merge}", f"--extract-hook={listed}")
    make_tree(tree, packages, "--variant=extract", "--mode=chrootless", *hooks)
    names = (tree.parent / _VERSIONS).read_text().replace("%3a", ":").split()
    archives = [name.split("_") for name in names if name.endswith(".deb")]
    return {package: version for package, version, _ in archives}


def _kernel_version(tree: Path) -> str:
    (version,) = (tree / "usr/lib/modules").iterdir()
    return version.name


def _epoch(tree: Path) -> int:
    """The time of all files: SOURCE_DATE_EPOCH, else that of the kernel's package."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or (tree / f"boot/vmlinuz-{_kernel_version(tree)}").stat().st_mtime)


def _inside(tree: Path, program: str, *words: str, name: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a program of the tree, with the tree's own libraries and without its root."""
    loader = tree / _LIBRARIES / "ld-linux-x86-64.so.2"
    named = ("--argv0", name) if name else ()
    command = [str(loader), "--library-path", str(tree / _LIBRARIES), *named, str(tree / program), *words]
    done = subprocess.run(command, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    if done.returncode:
        raise Failed(
            f"the imaging environment can't be built: {program}: {done.stderr.decode(errors='replace')[-300:]}"
        )
    return done


def _fill(root: Path, tree: Path, recipe: Mapping[str, Any], version: str) -> None:
    """Put everything in its place."""
    for name in _MERGED:
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
    raise Failed(f"the imaging environment can't be built: no package of its recipe has {name}")


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
            raise Failed(f"the imaging environment can't be built: {path} needs {name}, which no package has")
        if arrow and not name.startswith(("/", "linux-vdso")):
            yield name


def _take_modules(root: Path, tree: Path, version: str, wanted: list[str]) -> None:
    """The modules and those they depend on, with new lists of what is there."""
    place = f"usr/lib/modules/{version}"
    _inside(tree, "usr/bin/kmod", "-b", str(tree), version, name="depmod")
    lines = (tree / place / "modules.dep").read_text().splitlines()
    needs = {file: rest.split() for file, _, rest in (line.partition(":") for line in lines)}
    by_name = {_module_name(file): file for file in needs}
    builtin = {_module_name(file) for file in (tree / place / "modules.builtin").read_text().split()}
    for name in wanted:
        file = by_name.get(_module_name(name))
        if file is None and _module_name(name) not in builtin:
            raise Failed(f"the imaging environment can't be built: the kernel {version} has no module {name}")
        for each in (file, *needs[file]) if file else ():
            _take(root, tree, f"{place}/{each}")
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        _take(root, tree, f"{place}/{name}")
    _inside(tree, "usr/bin/kmod", "-b", str(root), version, name="depmod")


def _module_name(file: str) -> str:
    return Path(file).name.removesuffix(".ko").replace("-", "_")


def _link_names(root: Path, tree: Path) -> None:
    """modprobe and its like, and every name of busybox that no other program has."""
    for name in ("modprobe", "insmod", "rmmod", "lsmod", "modinfo"):
        (root / "usr/sbin" / name).symlink_to("/usr/bin/kmod")
    taken = {file.name for folder in ("usr/bin", "usr/sbin") for file in (root / folder).iterdir()}
    for name in _inside(tree, "usr/bin/busybox", "--list").stdout.decode().split():
        if name not in taken:
            (root / "usr/bin" / name).symlink_to("busybox")


def _entries(root: Path) -> Iterator[cpio.Entry]:
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
            yield cpio.file(path, file.read_bytes(), _mode(file))


def _with_parents(path: str, mode: int) -> Iterator[tuple[str, int]]:
    parents = path.split("/")[:-1]
    yield from (("/".join(parents[: n + 1]), 0o755) for n in range(len(parents)))
    yield path, mode


def _mode(file: Path) -> int:
    """Of a file in the archive: what the umask of whoever unpacked it left is not kept."""
    return 0o755 if file.stat().st_mode & 0o100 else 0o644


def _pack(root: Path, target: Path, tree: Path, epoch: int) -> None:
    plain = target.with_suffix(".cpio")
    with plain.open("wb") as file:
        file.writelines(cpio.archive(_entries(root), epoch))
    _inside(tree, "usr/bin/zstd", f"-{_LEVEL}", "--single-thread", "-q", "--rm", "-o", str(target), str(plain))
    with target.open("ab") as file:  # another archive may follow
        file.write(bytes(-file.tell() % cpio.BLOCK))


def _write_manifest(folder: Path, versions: Mapping[str, str]) -> None:
    files = {file.name: _described(file) for file in sorted(folder.iterdir())}
    name = f"{SUITE}-{_hash_of(f'{name} {sha256}' for name, (_, sha256) in files.items())}"
    known = {name: {"size": size, "sha256": sha256} for name, (size, sha256) in files.items()}
    document = {"name": name, "recipe": key(), "packages": dict(sorted(versions.items())), "files": known}
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n")


def _described(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        return file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()


def _hash_of(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
