"""Linux login names and uids for people, from what an identity provider calls them.

A login and a uid belong to one person for good: files and logs name them after the person has gone.
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from itertools import count

FIRST_UID = 20001
"""Uids are assigned from here: above a computer's own accounts."""
LOWEST_UID, HIGHEST_UID = 1000, 2**31 - 1  # an SQL integer; the system's own accounts are below
NOBODY = (65534, 65535)  # "nobody", and what some systems take for "no uid"
LONGEST = 32
"""Characters of a login name, as useradd has it."""
EMERGENCY = "emergency"
"""What the emergency administrator is called. Nobody else is."""
RESERVED = frozenset(
    "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody _apt "
    "systemd-network systemd-resolve systemd-timesync messagebus sshd polkitd dnsmasq postgres mysql redis "
    "nginx apache halt shutdown operator ftp nfsnobody rpc rpcuser adm admin administrator sudo wheel users "
    "tty disk kmem audio video input kvm render ubuntu debian centos rocky ec2-user cloud-user vagrant ansible "
    f"vcl vclab vclstaff temporal local {EMERGENCY}".split()
)
"""Accounts and groups that computers, or vclab, have already."""

_LOGIN = re.compile(rf"[a-z_][a-z0-9_-]{{0,{LONGEST - 1}}}", re.ASCII)
_LETTERS = str.maketrans(dict(zip("æœøłđðþıħŋ", ("ae", "oe", "o", "l", "d", "d", "th", "i", "h", "n"), strict=True)))


def login_of(claim: str) -> str:
    """The login name for what a provider calls somebody: ``alice@uni.edu`` → ``alice``, ``Zoë.Wu`` → ``zoe-wu``.

    Of a mail address what precedes the ``@``. Accents are left out, other letters that Latin alphabets have are written
    out, all else becomes ``-``. Without a Latin letter: ``user``. It may be taken; see ``first_free``.
    """
    name = claim.partition("@")[0].casefold().translate(_LETTERS)
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    plain = re.sub(r"[^a-z0-9_]+", "-", plain.lower(), flags=re.ASCII).strip("-")[:LONGEST].rstrip("-")
    if not re.search(r"[a-z]", plain):
        return f"user-{plain.strip('_')}".rstrip("-")[:LONGEST] if plain.strip("_") else "user"
    return plain if not plain[0].isdigit() else f"u{plain}"[:LONGEST].rstrip("-")


def is_login(text: str) -> bool:
    """Whether ``text`` can be a login name at all. Logins become parts of configurations and command lines."""
    return _LOGIN.fullmatch(text) is not None


def first_free(login: str, taken: Container[str]) -> str:
    """It, or the first of ``login-2``, ``login-3``, … that nobody has or had, cut to what Linux takes."""
    if login not in taken and login not in RESERVED:
        return login
    for number in count(2):
        suffix = f"-{number}"
        tried = f"{login[: LONGEST - len(suffix)].rstrip('-')}{suffix}"
        if tried not in taken and tried not in RESERVED:
            return tried
    raise AssertionError("the loop returns")


def free_uid(taken: Iterable[int], wanted: int | None = None) -> int:
    """The wanted one, if it may be a person's and is free; else the lowest free one from ``FIRST_UID`` on."""
    known = {*taken, *NOBODY}
    if wanted is not None and LOWEST_UID <= wanted <= HIGHEST_UID and wanted not in known:
        return wanted
    return next(number for number in count(FIRST_UID) if number not in known)
