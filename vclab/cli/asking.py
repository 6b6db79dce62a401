"""How a verb calls use cases: its parameters become a question, and the answer is printed."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.errors import Usage
from vclab.cli.output import note, say_json
from vclab.cli.running import run
from vclab.cli.tables import printable
from vclab.contract.use_case import A, Q, UseCase
from vclab.model.errors import Refused

if TYPE_CHECKING:
    from vclab.client.protocol import Client


class Asker:
    """Calls use cases, and waits for the answer. Who calls is found out at the first call."""

    def __init__(self, of: "Client") -> None:
        self._client = of

    def __call__(self, use_case: UseCase[Q, A], question: Q) -> A:
        """The answer. Raises as ``Client.call``."""
        return run(self._client.call(use_case, question))

    def tell(self, use_case: UseCase[Q, A], question: Q, json: bool, text: Callable[[A], None]) -> A:
        """Print the answer, as JSON or by ``text``, and return it."""
        answer = self(use_case, question)
        if json:
            say_json(use_case.document(answer))
        else:
            text(answer)
        return answer

    def zone(self) -> ZoneInfo:
        """The zone in which the caller reads times."""
        return run(zone_for(self._client))


def asker(context: typer.Context) -> Asker:
    """For the person that ``--as`` names, after the verb or before it; else for the local account."""
    return Asker(client_of(context, context.params.get("as_user", "")))


def confirm(question: str, refusal: str, hint: str) -> None:
    """Ask at the terminal, and go on after a yes. Raises ``Refused``."""
    note(f"{question} Type yes: ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused(refusal, hint)


def confirmed_certificate(url: str, seen: str) -> str:
    """The SHA-256 fingerprint of the certificate that is shown, confirmed at the terminal. Raises ``Refused``."""
    shown = ":".join(seen[n : n + 2] for n in range(0, len(seen), 2))
    what = f"{url} shows a certificate with the SHA-256 fingerprint"
    if not sys.stdin.isatty():
        raise Refused(f"{what} {shown}", f"compare it with the machine's own, and confirm it by --fingerprint {seen}")
    note(f"{what}\n  {shown}")
    question = "Compare it with what the machine itself shows. Is it the same?"
    confirm(question, "the certificate was not confirmed", "nothing was sent, and nothing was changed")
    return seen


def typed_password(whose: str) -> str:
    """From the terminal without echo, else the first line of standard input. Raises ``Usage``."""
    return typed_secret(f"Password of {whose}", "password")


def typed_secret(prompt: str, what: str) -> str:
    """From the terminal without echo, else the first line of standard input. Raises ``Usage``."""
    from getpass import getpass

    try:
        if sys.stdin.isatty():
            secret = getpass(f"{printable(prompt)}: ", stream=sys.stderr)
        else:
            secret = sys.stdin.readline(1000).rstrip("\r\n")
    except (UnicodeDecodeError, EOFError):
        raise Usage(f"the {what} is not valid text") from None
    if not secret:
        raise Usage(f"there is no {what}", "type it at the terminal, or put it into standard input (< file)")
    return secret


class Retirable(Protocol):
    """A view of something that can be disabled: read only."""

    @property
    def disabled_at(self) -> datetime | None:
        """Since when; None: it is enabled."""

    @property
    def disabled_why(self) -> str:
        """The reason, as its administrator gave it."""


def disabled(thing: Retirable) -> str:
    """The note on something that is disabled; else empty."""
    if thing.disabled_at is None:
        return ""
    return f"disabled: {thing.disabled_why}" if thing.disabled_why else "disabled"


def given(context: typer.Context, question: type[Q], **more: Any) -> Q:
    """A question whose fields are the command's parameters of the same names, and ``more``.

    What was not given is left out: the question's own default holds.
    """
    words = {name: value for name, value in context.params.items() if name in question.model_fields}
    values = {name: value for name, value in {**words, **more}.items() if value is not None}
    return question(**{name: value for name, value in values.items() if value not in ((), [])})
