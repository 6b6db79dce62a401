"""Free blocks of ext2, ext3 and ext4, as ``dumpe2fs`` (e2fsprogs) lists them."""

import os
import re
import subprocess

from vclab.library.formats import MEMORY
from vclab.library.free_space.window import Range, Unclear, Window

PATIENCE = 600.0
"""Seconds: it prints some lines for each 128 MiB."""
_FIELD = re.compile(r"^([A-Z][^:\n]*):[ \t]+(.*)$", re.MULTILINE)
_FREE = re.compile(r"^  Free blocks: ([0-9, -]*)$", re.MULTILINE)


def free(window: Window) -> list[Range]:
    """Raises ``Unclear``."""
    text = _dumped(window)
    header, _, groups = text.partition("\n\n\n")
    fields = {name: value.strip() for name, value in _FIELD.findall(header)}
    features = fields.get("Filesystem features", "").split()
    if fields.get("Filesystem state") != "clean" or "needs_recovery" in features:
        raise Unclear("it was not unmounted cleanly")
    if "bigalloc" in features or "journal_dev" in features:
        raise Unclear("its features are not known")
    try:
        block, count = int(fields["Block size"]), int(fields["Block count"])
        total, first = int(fields["Free blocks"]), int(fields["First block"])
        found = [_range(word) for line in _FREE.findall(groups) for word in line.split(",") if word.strip()]
    except (KeyError, ValueError):
        raise Unclear("dumpe2fs says what is not understood") from None
    if sum(last - begin for begin, last in found) != total or any(not first <= b < e <= count for b, e in found):
        raise Unclear("its free blocks are not as many as it says")
    return [(begin * block, end * block) for begin, end in found]


def _range(word: str) -> Range:
    """Blocks "7-9" as [7, 10)."""
    first, _, last = word.strip().partition("-")
    return int(first), int(last or first) + 1


def _dumped(window: Window) -> str:
    """By the descriptor: a ``?`` in the file's name would be read as the beginning of options."""
    limited = ("prlimit", f"--as={MEMORY}", "--core=0", "--")
    words = (*limited, "dumpe2fs", f"/proc/self/fd/{window.file}?offset={window.begin}")
    try:
        ran = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            pass_fds=(window.file,),
            env={**os.environ, "LC_ALL": "C"},
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        raise Unclear("dumpe2fs does not read it") from None
    if ran.returncode:
        raise Unclear("dumpe2fs does not read it")
    return ran.stdout.decode("utf-8", "replace")
