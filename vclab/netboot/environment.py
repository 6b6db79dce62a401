"""The imaging environment: a kernel, an initramfs and the boot loaders, built from Debian's packages.

``deploy/imaging`` has the recipe. Root is not needed: packages are unpacked, none is installed, and none of their
scripts run. What is unpacked is packed by what is in it (its zstd, its depmod), so that the same packages give the same
bytes on every machine. There is no secret in it, and no host key.
"""

import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vclab.debian import SUITE, Say, TreeNotMade, cache, locked, make_tree
from vclab.netboot import contents, cpio
from vclab.netboot.contents import MERGED, RECIPE, entries, fill, inside, kernel_version, mode_of, not_built

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
    for file in (Path(__file__), Path(contents.__file__), Path(cpio.__file__), *sorted(RECIPE.rglob("*"))):
        if file.is_file():
            digest.update(f"\0{file.name}\0{mode_of(file):o}\0".encode() + file.read_bytes())
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
        raise not_built(f"{RECIPE} is missing", "build it in a checkout of vclab")
    recipe = tomllib.loads((RECIPE / "recipe.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="vclab-imaging-") as work:
        say(f"unpacking the packages of the imaging environment (Debian {SUITE}; usually a minute)")
        tree, root = Path(work) / "tree", Path(work) / "root"
        try:
            versions = _unpack(tree, recipe["packages"])
        except TreeNotMade as error:
            raise not_built(str(error)) from None
        version = kernel_version(tree)
        fill(root, tree, recipe, version)
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
        raise not_built(f"it has {size >> 20} MiB, but no more than {LARGEST >> 20} are allowed")
    say(f"built the imaging environment: {size / (1 << 20):.1f} MiB")
    return Environment(folder)


def _unpack(tree: Path, packages: list[str]) -> dict[str, str]:
    """Unpack the packages and what they need; the version of each."""
    merge = 'cd "$1" && ' + " && ".join(f"mkdir -p usr/{name} && ln -s usr/{name} {name}" for name in MERGED)
    listed = f'ls "$1/var/cache/apt/archives" >"{tree.parent}/{_VERSIONS}"'
    hooks = (f"--setup-hook={merge}", f"--extract-hook={listed}")
    make_tree(tree, packages, "--variant=extract", "--mode=chrootless", *hooks)
    names = (tree.parent / _VERSIONS).read_text().replace("%3a", ":").split()
    archives = [name.split("_") for name in names if name.endswith(".deb")]
    return {package: version for package, version, _ in archives}


def _epoch(tree: Path) -> int:
    """The time of all files: SOURCE_DATE_EPOCH, else that of the kernel's package."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or (tree / f"boot/vmlinuz-{kernel_version(tree)}").stat().st_mtime)


def _pack(root: Path, target: Path, tree: Path, epoch: int) -> None:
    plain = target.with_suffix(".cpio")
    with plain.open("wb") as file:
        file.writelines(cpio.archive(entries(root), epoch))
    inside(tree, "usr/bin/zstd", f"-{_LEVEL}", "--single-thread", "-q", "--rm", "-o", str(target), str(plain))
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
