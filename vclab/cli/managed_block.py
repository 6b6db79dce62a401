"""A block of lines that vclab keeps in a file which is somebody's own: what is not ours stays byte for byte."""

import stat
from pathlib import Path

from vclab.client.private_files import make_folder, write_whole
from vclab.model.errors import Refused

BEGIN = b"# vclab config-ssh: begin (`vclab config-ssh --remove` takes this away)\n"
END = b"# vclab config-ssh: end\n"
MOST = 1 << 20  #: bytes of such a file


def put_block(file: Path, lines: str) -> bool:
    """Put the block at the beginning of a file, which is made if it is not there; whether that changed anything.

    At the beginning, for what follows a ``Host`` line of ssh's configuration is about that host only.
    Raises ``Refused``: then the file is as it was.
    """
    before = _read(file)
    rest = _without_block(file, before or b"")
    block = BEGIN + lines.encode() + END
    return _replace(file, before, block + b"\n" * bool(rest) + rest)


def remove_block(file: Path) -> bool:
    """Take the block away; whether there was one. Raises ``Refused``: then the file is as it was."""
    before = _read(file)
    return before is not None and _replace(file, before, _without_block(file, before))


def _without_block(file: Path, text: bytes) -> bytes:
    """The file's own lines. Raises ``Refused`` when the block is not whole: what is ours can't be told then."""
    count = text.count(BEGIN), text.count(END)
    if count == (0, 0):
        return text
    head, _, after = text.partition(BEGIN)
    _, end, tail = after.partition(END)
    if count != (1, 1) or not end or (head and not head.endswith(b"\n")):
        raise Refused(f"somebody changed the lines of vclab in {file}", "remove them by hand, and try again")
    return head + (tail.removeprefix(b"\n") if not head else tail)


def _read(file: Path) -> bytes | None:
    """None: there is none. Raises ``Refused`` for what is no file that can be read."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise Refused(f"{file} is not a file")
        with file.open("rb") as stream:
            text = stream.read(MOST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}") from None
    if len(text) > MOST:
        raise Refused(f"{file} is larger than {MOST >> 20} MiB")
    return text


def _replace(file: Path, before: bytes | None, after: bytes) -> bool:
    if after == before:
        return False
    place = file.resolve()  # a link stays one: people keep such files elsewhere
    if before is None:
        make_folder(place.parent)
    write_whole(place, after, stat.S_IMODE(place.stat().st_mode) if before is not None else 0o600)
    return True
