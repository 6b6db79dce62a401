"""One check of ``vclab doctor``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vclab.cli.errors import text_of


@dataclass(frozen=True)
class Check:
    """What was checked, what was found, and what to do if it failed."""

    name: str
    ok: bool
    found: str
    todo: str = ""


class Finding:
    """What is found out."""

    def __init__(self, name: str) -> None:
        self.check = Check(name, False, "not checked")

    def tell(self, ok: bool, found: str, todo: str = "") -> None:
        """What was found."""
        self.check = Check(self.check.name, ok, found, todo)


@contextmanager
def checking(name: str) -> Iterator[Finding]:
    """A check that reports its own failure."""
    made = Finding(name)
    try:
        yield made
    except Exception as error:  # whatever it is
        made.tell(False, text_of(error))
