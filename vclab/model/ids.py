"""Ids of reservations: made by the client, short, lower-case, sorted by time, without look-alikes."""

import re
import secrets
import threading
import time

ALPHABET = "3456789abcdefghjkmnpqrstuvwxy"
"""In ASCII order. VCL leaves the same look-alikes out of its passwords: i l o z 0 1 2."""

_EPOCH = 1735689600  # 2025-01-01 UTC
_TICKS = 10  # a second
_TIME, _RANDOM = 7, 4  # characters: 54 years of ticks; one in 700 000 in the same tick
_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)

_lock = threading.Lock()
_last = 0


def new_id(now: float | None = None) -> str:
    """A new reservation id of 11 characters. ``now`` in seconds since 1970; each is greater than the one before."""
    global _last
    ticks = int(((time.time() if now is None else now) - _EPOCH) * _TICKS)
    spread = len(ALPHABET) ** _RANDOM
    number = max(ticks, 0) * spread + secrets.randbelow(spread)
    with _lock:
        _last = max(number, _last + 1)  # so that ten made in one tick differ and stay in order
        number = _last
    return _digits(number, _TIME + _RANDOM)


def _digits(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return text


def is_id(text: str) -> bool:
    """Whether ``text`` can be an id at all. Ids become parts of machine names, paths and workflow ids."""
    return _PATTERN.fullmatch(text) is not None
