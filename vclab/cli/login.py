"""What a login needs, of a person: a confirmed certificate, and a password that is never an argument."""

import sys
from typing import Any

from pydantic import SecretStr

from vclab.cli.asking import confirm
from vclab.cli.errors import Usage
from vclab.cli.output import note
from vclab.contract.endpoints import Login
from vclab.contract.use_case import Q
from vclab.model.errors import Refused


def with_login(question: Q, login: Login) -> Q:
    """The question with what its login needs: a confirmed certificate, then a password."""
    more: dict[str, Any] = {}
    if login.certificate:
        more["fingerprint"] = _confirmed(login)
    if login.password:
        more["password"] = SecretStr(typed_password(login.username))
    return question.model_copy(update=more)


def _confirmed(login: Login) -> str:
    """The fingerprint of the certificate that is shown, confirmed at the terminal. Raises ``Refused``."""
    seen = login.certificate
    shown = ":".join(seen[n : n + 2] for n in range(0, len(seen), 2))
    what = f"{login.url} shows a certificate with the SHA-256 fingerprint"
    if not sys.stdin.isatty():
        raise Refused(f"{what} {shown}", f"compare it with the machine's own, and confirm it by --fingerprint {seen}")
    note(f"{what}\n  {shown}")
    question = "Compare it with what the machine itself shows. Is it the same?"
    confirm(question, "the certificate was not confirmed", "nothing was sent, and nothing was changed")
    return seen


def typed_password(whose: str) -> str:
    """From the terminal without echo, else the first line of standard input. Raises ``Usage``."""
    from getpass import getpass

    try:
        if sys.stdin.isatty():
            password = getpass(f"Password of {whose}: ", stream=sys.stderr)
        else:
            password = sys.stdin.readline(1000).rstrip("\r\n")
    except (UnicodeDecodeError, EOFError):
        raise Usage("the password is not valid text") from None
    if not password:
        raise Usage("there is no password", "type it at the terminal, or put it into standard input (< file)")
    return password
