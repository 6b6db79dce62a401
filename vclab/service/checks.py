"""What an administrator may enter, checked before anything is touched. Every function raises ``Invalid``."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from vclab.contract.use_case import Question
from vclab.guests.registry import FAMILIES
from vclab.model.catalog import Identity
from vclab.model.errors import Invalid, Refused
from vclab.model.logins import EMERGENCY, HIGHEST_UID, LOWEST_UID, NOBODY
from vclab.model.traits import Traits
from vclab.model.typed import near, quoted
from vclab.provisioning import registry
from vclab.settings import Settings

MOST_LINES = 100_000
"""Lines of a list."""
MOST_MEMORY_MB, MOST_CPUS, MOST_DISK_GB = 24 * 2**20, 768, 62 * 1024  # vSphere 8's maxima for one machine
MODULES = tuple(kind.name for kind in registry.KINDS)
GUESTS = tuple(family.name for family in FAMILIES)
NO_GUEST = "none"
PRETENDED = tuple(family.name for family in FAMILIES if family.pretended) + tuple(
    kind.name for kind in registry.KINDS if kind.pretended
)
"""Guests and modules that a worker offers only when its settings say so."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_MAC_PREFIX = re.compile(r"(?:[0-9a-f]{2}:){2}[0-9a-f]{2}")
_MASTER = re.compile(r"\[(?P<datastore>[^\]]+)\]\s*(?P<path>.*)")


def given(question: Question, **checks: Callable[[Any], Any]) -> dict[str, Any]:
    """The fields of a question that have a value, each as its check returns it; what is None stays as it was."""
    values = {field: getattr(question, field) for field in checks}
    return {field: check(values[field]) for field, check in checks.items() if values[field] is not None}


def traits(module: str) -> Traits:
    """What a provisioning module can do; the defaults for one that this release does not have."""
    return registry.traits().get(module, Traits())


def login(text: str) -> str:
    """A login name as Linux takes it: ``a-z 0-9 _ -``, at most 32."""
    _characters(text, "the login name", "a-z, 0-9, _ and -", r"[a-z0-9_-]", 32)
    if text[0] in "0123456789-":
        raise Invalid(f"the login name {quoted(text)} must begin with a letter or _")
    if text in ("root", EMERGENCY):
        raise Invalid(f"{text} can't be a user of the lab")
    return text


def name(text: str, what: str, longest: int = 63, more: str = ".") -> str:
    """The name of an image, an endpoint or a computer: lower-case letters, digits, ``-`` and what ``more`` allows."""
    allowed = f"a-z, 0-9 and {' '.join(('-', *more))}"
    _characters(text, f"the name of {what}", allowed, f"[a-z0-9{re.escape(more)}-]", longest)
    if not text[0].isalnum() or not text[-1].isalnum():
        raise Invalid(f"the name of {what}, {quoted(text)}, must begin and end with a letter or a digit")
    return text


def line(text: str, what: str, longest: int = 200) -> str:
    """Free text on one line, without control characters."""
    if not text.strip():
        raise Invalid(f"{what} is empty")
    if len(text) > longest:
        raise Invalid(f"{what} is longer than {longest} characters")
    for character in text:
        if not character.isprintable():
            raise Invalid(f"{what} has {_called(character)}")
    return text.strip()


def uid(number: int) -> int:
    """A user id for a person."""
    if not LOWEST_UID <= number <= HIGHEST_UID or number in NOBODY:
        raise Invalid(f"the uid {number} is reserved", f"use {LOWEST_UID} to {HIGHEST_UID}, but not 65534 or 65535")
    return number


def zone(text: str) -> str:
    """The name of an IANA time zone."""
    from zoneinfo import available_timezones

    known = available_timezones()
    if text not in known:
        raise Invalid(f"there is no time zone {quoted(text)}{near(text, known)}", "write it like Europe/Berlin")
    return text


def public_keys(given: Iterable[str]) -> tuple[str, ...]:
    """SSH public keys, one or several lines each; duplicates are dropped."""
    lines = [each for text in given for each in _key_lines(text)]
    return tuple(dict.fromkeys(_public_key(each) for each in lines))


def _key_lines(text: str) -> list[str]:
    if "PRIVATE KEY" in text:
        raise Invalid(
            "this is a private key, which must stay secret", "give the public key (its file name ends in .pub)"
        )
    found = [each.strip() for each in text.splitlines() if each.strip() and not each.lstrip().startswith("#")]
    if not found:
        raise Invalid("there is no SSH public key in the text")
    return found


def _key_types() -> set[str]:
    return {"ssh-ed25519", "ssh-rsa", "ssh-dss", *(f"ecdsa-sha2-nistp{n}" for n in (256, 384, 521))} | {
        f"sk-{kind}@openssh.com" for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")
    }


def _public_key(text: str) -> str:
    """One key. What may precede it in authorized_keys is refused: it would restrict the login, or run a command."""
    import asyncssh

    line(text, "the SSH public key", 20_000)
    if text.split(" ", 1)[0] not in _key_types():
        raise Invalid(
            f"an SSH public key begins with its type, like ssh-ed25519, not with {quoted(text.split(' ')[0])}"
        )
    try:
        asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError, UnicodeError):
        raise Invalid(f"the SSH public key {quoted(text)} is damaged", "check that it was copied whole") from None
    if text.startswith("ssh-dss"):
        raise Invalid("SSH servers no longer accept DSA keys", "make a key with `ssh-keygen -t ed25519`")
    if text.startswith("ssh-rsa") and _rsa_bits(text) < 2048:
        raise Invalid("the RSA key has less than 2048 bits", "make a key with `ssh-keygen -t ed25519`")
    return text


def _rsa_bits(text: str) -> int:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    key = load_ssh_public_key(text.encode())
    return key.key_size if isinstance(key, RSAPublicKey) else 0


def number(value: int, what: str, lowest: int, highest: int) -> int:
    """A whole number from ``lowest`` to ``highest``."""
    if not lowest <= value <= highest:
        raise Invalid(f"{what} must be between {lowest} and {highest}, not {value}")
    return value


def memory(value: int) -> int:
    """Memory in MiB; vSphere takes only multiples of 4."""
    number(value, "the memory in MiB", 64, MOST_MEMORY_MB)
    if value % 4:
        raise Invalid(f"the memory in MiB must be a multiple of 4, not {value}")
    return value


def one_of(text: str, what: str, known: Sequence[str]) -> str:
    """One of the known names."""
    if text not in known:
        raise Invalid(f"there is no {what} {quoted(text)}", f"use one of {', '.join(known)}")
    return text


def why_off(name: str, settings: Settings) -> str:
    """Why a worker with these settings does not offer this module or guest; empty when it does."""
    if name in PRETENDED and not settings.fake.enabled:
        return f"{name} is part of the pretended world, which is off: set `fake.enabled` in the settings"
    return ""


def offered(name: str | None, settings: Settings) -> None:
    """Raises ``Refused`` for a module or a guest that is off."""
    why = why_off(name or "", settings)
    if why:
        raise Refused(f"{why}, and restart the worker")


def ports(given: Sequence[int]) -> tuple[int, ...]:
    """TCP ports that people connect to; duplicates are dropped."""
    return tuple(dict.fromkeys(number(port, "a port", 1, 65535) for port in given))


def guest(text: str) -> str:
    """The name of a guest as it is stored in an image: empty for ``none``."""
    return "" if text == NO_GUEST else one_of(text, "guest", (*GUESTS, NO_GUEST))


def master(text: str) -> tuple[str, str]:
    """Datastore and path of a master disk: ``[ds1] folder/disk.vmdk``, or without a datastore."""
    plain = line(text, "the path of the master disk")
    found = _MASTER.fullmatch(plain)
    return (found["datastore"], found["path"]) if found else ("", plain)


def address(text: str) -> str:
    """An IP address of a machine."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        raise Invalid(f"{quoted(text)} is not an address", "write it like 10.77.0.11 or 2001:db8::17") from None
    if found.is_unspecified or found.is_loopback or found.is_multicast:
        raise Invalid(f"{found} can't be a machine's address")
    return str(found)


def host_key(text: str) -> str:
    """A computer's SSH host key, without its comment."""
    return " ".join(public_keys([text])[0].split()[:2])


def mac(text: str) -> str:
    """A MAC address of one network card."""
    plain = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(plain):
        raise Invalid(f"{quoted(text)} is not a MAC address", "write it like 02:76:63:00:00:01")
    return _usable_mac(plain)


def mac_prefix(text: str) -> str:
    """The first three bytes of MAC addresses."""
    plain = text.strip().lower().replace("-", ":")
    if not _MAC_PREFIX.fullmatch(plain):
        raise Invalid(f"{quoted(text)} is not a MAC prefix", "write three bytes like 02:76:63")
    return _usable_mac(plain)


def _usable_mac(plain: str) -> str:
    if int(plain[:2], 16) & 1:
        raise Invalid(f"{plain} is a multicast address", "use an even first byte, like 02")
    if plain.startswith("00:0c:29") or (plain.startswith("00:50:56") and plain[9:11] > "3f"):
        raise Invalid(f"{plain} is in a range that vSphere assigns itself", "use 00:50:56:00 to 00:50:56:3f, or 02:…")
    return plain


def identities(found: Iterable[Identity]) -> None:
    """Check that each identity's name can be a host name."""
    for identity in found:
        name(identity.name, "a computer", more="")


def url(text: str) -> str:
    """The address of a vCenter or ESXi: ``https://HOST[:PORT]/sdk``; the path may be left out."""
    try:
        parts = urlsplit(line(text, "the URL"))
        port = parts.port
    except ValueError:
        raise Invalid(f"{quoted(text)} is not a URL", "write it like https://HOST/sdk") from None
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(f"the URL must be https://HOST[:PORT]/sdk, not {quoted(text)}")
    if parts.username is not None or parts.password is not None:
        raise Invalid("the URL must not contain a user name or a password", "use --username; the password is asked for")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}{f':{port}' if port else ''}{parts.path.rstrip('/') or '/sdk'}"


def fingerprint(text: str) -> str:
    """A SHA-256 fingerprint: 64 hex digits, with or without colons."""
    plain = text.strip().removeprefix("SHA256:").replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise Invalid(f"{quoted(text)} is not a SHA-256 fingerprint", "it has 64 hex digits")
    return plain


def _characters(text: str, what: str, allowed: str, pattern: str, longest: int) -> None:
    if not text:
        raise Invalid(f"{what} is empty")
    if len(text) > longest:
        raise Invalid(f"{what} {quoted(text)} is longer than {longest} characters")
    for character in text:
        if not re.fullmatch(pattern, character, re.ASCII):
            raise Invalid(f"{what} {quoted(text)} has {_called(character)}: only {allowed} are allowed")


def _called(character: str) -> str:
    if character == " ":
        return "a space"
    code = f"U+{ord(character):04X}"
    return f"{character!r} ({code})" if character.isprintable() else f"a control character ({code})"


def limit(number: int) -> None:
    """How many lines a list may have. Raises ``Invalid``."""
    if not 0 < number <= MOST_LINES:
        raise Invalid(f"the limit {number} is not between 1 and {MOST_LINES:,}")


def with_zone(moment: datetime, what: str) -> None:
    """Raises ``Invalid``."""
    if moment.tzinfo is None:
        raise Invalid(f"the {what} has no time zone", "add one, as in 2026-12-01T10:00Z")
