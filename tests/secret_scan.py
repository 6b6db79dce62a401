"""Where a secret must not be: looks for known ones, in every form in which a program may have written them."""

import base64
import os
import sqlite3
import stat
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 64 << 20
"""Bytes of a file that is read; what is larger are disks, which are not for people."""
EVERY = 0.02
"""Seconds between two looks at the processes."""


def forms(secret: str) -> dict[str, bytes]:
    """How it may be written: as it is, in base64 at any place of a longer text, in URLs, in hex, in UTF-16."""
    plain = secret.encode()
    found = {"plain": plain, "utf-16": secret.encode("utf-16-le"), "hex": plain.hex().encode()}
    found["HEX"] = plain.hex().upper().encode()
    found["url"] = urllib.parse.quote(secret, safe="").encode()
    found["url, all of it"] = "".join(f"%{byte:02X}" for byte in plain).encode()
    for shift in range(3):
        length = (shift + len(plain)) // 3 * 4  # what follows changes the rest
        coded = base64.b64encode(b"\0" * shift + plain)[(0, 2, 3)[shift] : length]
        found[f"base64 at {shift}"] = coded
        found[f"base64url at {shift}"] = coded.translate(bytes.maketrans(b"+/", b"-_"))
    return found


@dataclass
class Scan:
    """Looks for secrets by name."""

    secrets: dict[str, str]
    found: list[str] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)  #: in how many places of each kind

    def look(self, kind: str, where: str, data: bytes) -> None:
        """Note the secrets that are in there."""
        self.looked[kind] = self.looked.get(kind, 0) + 1
        for name, secret in self.secrets.items():
            for form, text in forms(secret).items():
                if text in data:
                    self.found.append(f"{name} ({form}) in {kind}: {where}")
                    break

    def files(self, kind: str, files: Iterable[Path]) -> None:
        """All of these that can be read."""
        for file in files:
            with suppress(OSError):
                if file.stat().st_size <= LARGEST:
                    self.look(kind, str(file), file.read_bytes())

    def database(self, kind: str, file: Path) -> None:
        """All rows, and the file itself with its log."""
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    parts = (part if isinstance(part, bytes) else str(part).encode() for part in row)
                    self.look(kind, f"{file.name}: {table}", b"\n".join(parts))
        self.files(kind, (file, file.with_name(f"{file.name}-wal")))

    def processes(self, notes: "Processes") -> None:
        """What was seen of processes."""
        for (kind, whose), data in notes.seen.items():
            self.look(kind, whose, data)


@dataclass
class Processes:
    """Arguments and environments of all processes while it watches."""

    seen: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def note(self) -> None:
        """Those that run now."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    words = (folder / "cmdline").read_bytes()
                    self.seen[("arguments", words.decode(errors="replace")[:200])] = words
                    self.seen[("environment", f"of {words[:100]!r}")] = (folder / "environ").read_bytes()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile, again and again: some live for a moment only."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(EVERY):
                self.note()

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()
            self.note()


def readable_by_others(folder: Path, since: float = 0.0, skip: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Files below a folder that others may read, whoever may go there; changed since a moment."""
    found = []
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not skip(Path(above) / name)]
        for name in names:
            file = Path(above) / name
            with suppress(OSError):
                state = file.lstat()
                if stat.S_ISREG(state.st_mode) and state.st_mode & 0o004 and state.st_mtime >= since:
                    found.append(file)
    return found


def told(found: Iterable[str], names: Mapping[str, str]) -> str:
    """For a failed test: never the secrets themselves."""
    text = "\n".join(sorted(set(found)))
    for name, secret in names.items():
        text = text.replace(secret, f"<{name}>")
    return text
