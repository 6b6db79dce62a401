"""Secrets by which vclab knows who calls: their text, and what they may be used for. Only a digest of them is kept."""

import hashlib
import secrets
import zlib
from enum import StrEnum

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH, _CHECKED = 43, 6  # characters of 32 bytes, and of their CRC-32, in base 62


class Kind(StrEnum):
    """What a token is for; its text begins with what ``PREFIX`` says."""

    LOGIN = "login"  #: made by `vclab login`
    PERSONAL = "personal"  #: made by its person, for a program
    SESSION = "session"  #: a browser's, in its cookie; never accepted as a bearer token


class Scope(StrEnum):
    """What a token may be used for, of what its person may do."""

    READ = "read"  #: ask; every token may
    ACT = "act"  #: what a user does: reserve, extend, end
    ADMIN = "admin"  #: use the roles of its person beyond that of a user


ALL = frozenset(Scope)

_PREFIX = {Kind.LOGIN: "vct_", Kind.PERSONAL: "vct_", Kind.SESSION: "vcs_"}


def make(kind: Kind) -> str:
    """A new one: 32 random bytes with a checksum, by which a damaged or invented one is told without a database, and
    which scanners for leaked secrets go by."""
    body = _base62(int.from_bytes(secrets.token_bytes(32)), _LENGTH)
    return f"{_PREFIX[kind]}{body}{_check(body)}"


def is_well_formed(text: str, browser: bool) -> bool:
    """Whether it may be a token (``browser``: of a cookie) at all."""
    prefix = _PREFIX[Kind.SESSION] if browser else _PREFIX[Kind.LOGIN]
    if len(text) != len(prefix) + _LENGTH + _CHECKED or not text.startswith(prefix) or not text.isascii():
        return False
    body = text[len(prefix) : -_CHECKED]
    return secrets.compare_digest(_check(body), text[-_CHECKED:])


def digest(text: str) -> str:
    """What is kept of a secret of at least 128 random bits, or of what is to be known again: SHA-256, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKED)


def _base62(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text
