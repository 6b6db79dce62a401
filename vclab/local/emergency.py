"""``vclab emergency``: a one-time code that lets an administrator in when nobody can sign in otherwise."""

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vclab.cli.output import note, say, say_json
from vclab.cli.params import Json
from vclab.contract.views import iso
from vclab.model.errors import Refused
from vclab.model.intents import Intent, Outcome
from vclab.model.logins import EMERGENCY
from vclab.service.actor import Authentication
from vclab.service.authentication import login_name, may_write
from vclab.service.backend import Backend
from vclab.settings import load

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS, _LENGTH = 6, 5  # 150 bits


def emergency(json: Json = False) -> None:
    """Make a one-time code that lets an administrator in, when no identity provider answers or all are locked out.

    Only root and the worker's account can. The code is shown once, and only its SHA-256 is kept. Sign in at the
    server's sign-in page as the user emergency, with the code as the password. It counts once, and both it and what it
    opens end after an hour (the setting sign_in.emergency). Until a day later `vclab status` raises an alarm, and
    everything is in the audit. A new code replaces one that was not used.

    \b
    Examples:
      vclab emergency
      vclab emergency --json
    """
    from vclab.store import intents, sign_ins

    backend = Backend(load())
    if not may_write(backend.settings.secrets_dir):
        raise Refused("only root and the worker's account can let an administrator in", "run this as one of them")
    now, by = datetime.now(UTC), login_name()
    until = now + timedelta(seconds=backend.settings.sign_in.emergency)
    code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(_GROUPS))

    def change(session: "Session") -> None:
        sign_ins.seal(session, code, by, now, until)
        intents.write(session, _intent(by, now))

    backend.store.check()
    backend.store.run(change)
    if json:
        say_json({"login": EMERGENCY, "code": code, "expires": iso(until)})
    else:
        note(f"Sign in at the server's sign-in page as {EMERGENCY}, before {until:%H:%M} UTC, with this code:")
        say(code)


def _intent(by: str, now: datetime) -> Intent:
    return Intent(
        id=uuid.uuid4().hex,
        at=now,
        actor=by,
        authentication=Authentication.ACCOUNT,
        roles=("administrator",),
        verb="emergency",
        subject=EMERGENCY,
        account=by,
        outcome=Outcome.DONE,
        answered_at=now,
    )
