"""``/root/currentimage.txt``: what a computer says it is. VCL's file and form: lines ``key=value``."""

from collections.abc import Mapping
from datetime import datetime

from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.errors import NotOurs
from vclab.model.plans import Target

POST_LOAD = "vcld_post_load"  #: VCL's tag: post-load was completed
TAINTED = "vcld_tainted"  #: VCL's tag: someone was, or may have been, logged in
_MARK = ("vclab_installation", "vclab_reservation", "vclab_member", "vclab_generation")

_MOST_TAGS = 200
_READ = "cat /root/currentimage.txt 2>/dev/null || [ ! -e /root/currentimage.txt ]"

_WRITE = """umask 077
printf '%s\\n' "$input" > /root/.currentimage.new
sync -d /root/.currentimage.new 2>/dev/null || true
mv -f /root/.currentimage.new /root/currentimage.txt
cat /root/currentimage.txt
"""

_TAG = """umask 077
{ cat /root/currentimage.txt 2>/dev/null || true; } > /root/.currentimage.new
grep -q "^$1=" /root/.currentimage.new || printf '%s\\n' "$input" >> /root/.currentimage.new
sync -d /root/.currentimage.new 2>/dev/null || true
mv -f /root/.currentimage.new /root/currentimage.txt
cat /root/currentimage.txt
"""


def parse(text: str) -> dict[str, str]:
    """The file's tags. VCL's own files begin with a line without "=": the image's name."""
    lines = [reported.line(line) for line in text.splitlines()[:_MOST_TAGS] if line.strip()]
    tags = dict(line.split("=", 1) for line in lines if "=" in line)
    if lines and "=" not in lines[0]:
        tags.setdefault("image_name", lines[0])
    return tags


def identity(target: Target) -> dict[str, str]:
    """The tags that say which image this is and whose."""
    return {
        "image_name": target.image,
        "imagerevision": str(target.revision),
        "computer_hostname": target.computer,
        "vclab_installation": target.installation,
        "vclab_reservation": target.reservation,
        "vclab_member": str(target.member),
        "vclab_generation": str(target.generation),
    }


def is_of(tags: Mapping[str, str], target: Target) -> bool:
    """Whether the computer was loaded for this very tenure."""
    ours = identity(target)
    return all(tags.get(key) == ours[key] for key in _MARK)


def refuse_newer(tags: Mapping[str, str], target: Target) -> None:
    """Raise ``NotOurs`` if this computer was given to somebody newer meanwhile (design.md §2.3)."""
    same = (tags.get("vclab_installation"), tags.get("computer_hostname")) == (target.installation, target.computer)
    generation = reported.number(tags.get("vclab_generation"))
    if same and generation is not None and generation > target.generation:
        raise NotOurs(
            f"{target.computer} says it is generation {generation}, of reservation {tags.get('vclab_reservation')}; "
            f"this is generation {target.generation}, of reservation {target.reservation}: nothing was done to it"
        )


def refuse_others(tags: Mapping[str, str], target: Target, marked: bool) -> None:
    """Raise ``NotOurs`` if the computer carries another mark; if it must be ``marked``, also if it carries none.

    A user with root access may have removed the file: that must not keep us from looking or from closing access.
    """
    refuse_newer(tags, target)
    if is_of(tags, target) or not (marked or "vclab_installation" in tags):
        return
    found = "/".join(tags.get(key, "?") for key in _MARK) if "vclab_installation" in tags else "none"
    wanted = "/".join(identity(target)[key] for key in _MARK)
    raise NotOurs(f"{target.computer} carries the mark {found}, not {wanted}: nothing was done to it")


async def read(shell: Shell) -> dict[str, str]:
    """The tags as they are now; none when there is no file. Raises ``Unreachable``."""
    return parse(await shell.look("read currentimage.txt", _READ))


async def write(shell: Shell, target: Target, now: datetime) -> None:
    """Say what the computer is now, and that post-load is done. A taint of the same tenure stays."""
    old = await read(shell)
    kept = {key: old[key] for key in ("load_time", POST_LOAD, TAINTED) if key in old and is_of(old, target)}
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    tags = {**identity(target), "load_time": stamp, POST_LOAD: f"success ({stamp})", **kept}
    text = "\n".join(f"{key}={_line(value)}" for key, value in tags.items())
    back = parse(await shell.act("write currentimage.txt", _WRITE, text=text))
    if back != parse(text):
        raise NotOurs(f"currentimage.txt of {target.computer} does not read back as it was written")


async def taint(shell: Shell, reason: str) -> None:
    """Say that someone was logged in. The first reason stays."""
    await shell.act("write currentimage.txt", _TAG, TAINTED, text=f"{TAINTED}={_line(reason) or 'true'}")


def _line(value: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
