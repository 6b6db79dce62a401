"""What machines and endpoints report of themselves, parsed with bounds before it is stored, shown or used.

Whoever is root on a machine decides what it reports. Anything that is not what it should be is "not known": it is left
out, and never passed on as it is.
"""

import ipaddress
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST_JSON = 1 << 20  #: characters
DEEPEST_JSON = 16  #: lists and objects within each other
LONGEST_TEXT = 400  #: characters
HIGHEST = 10**12  #: of numbers: generations, user ids, seconds

_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}")
_KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp256) [A-Za-z0-9+/]{32,2000}={0,3}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def address(text: object) -> str:
    """The address of one computer, IPv4 or IPv6, in its usual form; empty for anything else.

    Not known is what leads elsewhere than to another computer: loopback, multicast, unspecified, broadcast, reserved,
    and what is valid on one link only.
    """
    if not isinstance(text, str) or len(text) > 45 or "%" in text or "/" in text:
        return ""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return "" if _leads_nowhere(found) else str(found)


def _leads_nowhere(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    of_one_link = found.is_link_local or (found.version == 6 and found.is_site_local)
    return of_one_link or found.is_loopback or found.is_multicast or found.is_unspecified or found.is_reserved


def mac(text: object) -> str:
    """The MAC of one card, in lower case with colons; empty for anything else, groups and all zeros too."""
    if not isinstance(text, str) or not _MAC.fullmatch(text.lower()):
        return ""
    found = text.lower().replace("-", ":")
    return "" if int(found[:2], 16) & 1 or not found.strip("0:") else found


def host_key(text: object) -> str:
    """An OpenSSH public key line, without its comment; empty for anything else."""
    known = " ".join(text.split()[:2]) if isinstance(text, str) and len(text) < 4000 else ""
    return known if _KEY.fullmatch(known) else ""


def line(text: object, longest: int = LONGEST_TEXT) -> str:
    """The text on one line, without control characters and changes of writing direction, cut at its longest."""
    if not isinstance(text, str):
        return ""
    clean = "".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text[: 4 * longest])
    return " ".join(clean.split())[:longest]


def number(text: object, most: int = HIGHEST) -> int | None:
    """A whole number from 0 to ``most``, written with ASCII digits; None for anything else."""
    digits = str(text) if isinstance(text, int) and not isinstance(text, bool) and abs(text) <= most else text
    if not isinstance(digits, str) or len(digits) > 20 or not (digits.isascii() and digits.isdecimal()):
        return None
    return int(digits) if int(digits) <= most else None


def json_of(text: str) -> Any:
    """A JSON document of bounded size and depth. Raises ``ValueError`` for any other."""
    if len(text) > LONGEST_JSON or _depth(text) > DEEPEST_JSON:
        raise ValueError("the report is too large, or nested too deeply")
    return json.loads(text, parse_constant=_refused)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def objects(value: object, key: str = "") -> list[Mapping[str, Any]]:
    """The objects of a list, or of the list that an object has under ``key``; what else is in it is left out."""
    listed = value.get(key) if key and isinstance(value, Mapping) else value
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
