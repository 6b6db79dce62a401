"""What somebody typed, in messages."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from vclab.model.errors import NotFound

T = TypeVar("T")


def known(what: str, name: str, things: Mapping[str, T], otherwise: str) -> T:
    """The thing of that name. Raises ``NotFound`` with near names and ``otherwise`` as the hint."""
    if name not in things:
        raise NotFound(f"there is no {what} {quoted(name)}{near(name, things)}", otherwise)
    return things[name]


def near(name: str, known: Iterable[str]) -> str:
    """`` (did you mean A or B?)``, or nothing: what follows may be a hint."""
    found = get_close_matches(name[:100], list(known), n=3, cutoff=0.6)
    *others, last = found or [""]
    return f" (did you mean {', '.join(others)}{' or ' * bool(others)}{last}?)" if found else ""


def is_unicode(text: str) -> bool:
    """Not so is what a terminal has given that is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(typed: str) -> str:
    """What somebody typed, safe and short enough for a message."""
    return repr(typed if len(typed) <= 60 else typed[:57] + "…")
