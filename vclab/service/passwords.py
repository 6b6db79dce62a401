"""Passwords of local accounts: argon2id, a few at a time, and in the same time whether there is such an account."""

import asyncio
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from vclab.model.errors import Invalid

SHORTEST, LONGEST = 12, 1024
"""Characters."""
AT_ONCE = 2
"""Each takes 64 MiB and some tens of milliseconds of four threads: the parameters of RFC 9106 for much memory."""

_HASHER = PasswordHasher()
_TURN = asyncio.Semaphore(AT_ONCE)


def check(password: str, login: str) -> str:
    """A new password. Raises ``Invalid``."""
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise Invalid(f"the password is shorter than {SHORTEST} characters", "several words make a good one")
    if len(plain) > LONGEST:
        raise Invalid(f"the password is longer than {LONGEST} characters")
    if len(set(plain)) < 5 or login in plain.casefold():
        raise Invalid("the password is easily guessed", "several words that don't name you make a good one")
    return plain


async def hashed(password: str) -> str:
    """As it is kept."""
    async with _TURN:
        return await asyncio.to_thread(_HASHER.hash, _plain(password))


async def matches(password: str, kept: str) -> bool:
    """Whether it is that one. Of no account (empty) as slowly, and always no."""
    async with _TURN:
        fits = await asyncio.to_thread(_verify, _plain(password)[: LONGEST + 1], kept or _nobodys())
    return fits and bool(kept)


def is_outdated(kept: str) -> bool:
    """Whether it was hashed by older parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def _verify(password: str, kept: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody's")


def _plain(password: str) -> str:
    """The same characters, however a keyboard makes them (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
