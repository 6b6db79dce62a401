"""Values of which a command line makes paths, files and other programs' arguments, parsed where an answer is heard.

Whoever has taken over a server chooses them. What a server itself makes of its store is not looked at here: one odd row
must not take a whole list from people. All other text is only printed, and that without control characters.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from vclab.model.ids import is_id
from vclab.model.logins import is_login

HEARD = "heard"
"""The context in which an answer that somebody else gave is validated."""
_HOST_KEY = re.compile(r"[a-z0-9][a-z0-9@.-]{0,63} [A-Za-z0-9+/]{1,16384}={0,2}", re.ASCII)


def _is_address(text: str) -> bool:
    return _parses(ip_address, text)


def _is_prefix(text: str) -> bool:
    return _parses(ip_interface, text)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    """A zone, after ``%``, may be anything."""
    try:
        parse(text)
    except ValueError:
        return False
    return "%" not in text


def _is_host_key(text: str) -> bool:
    """A line as OpenSSH has it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), without a comment."""
    return _HOST_KEY.fullmatch(text) is not None


def _only(right: Callable[[str], bool], what: str) -> AfterValidator:
    """Raises ``ValueError`` for what is heard and not right."""

    def parse(text: str, info: ValidationInfo) -> str:
        if info.context is HEARD and not right(text):
            raise ValueError(f"it is no {what}")
        return text

    return AfterValidator(parse)


Id = Annotated[str, _only(is_id, "id")]
Login = Annotated[str, _only(is_login, "login name")]
Address = Annotated[str, _only(_is_address, "IP address")]
Prefix = Annotated[str, _only(_is_prefix, "IP address or prefix")]
HostKey = Annotated[str, _only(_is_host_key, "SSH host key")]
