"""Signing in from a command line, with a browser anywhere (RFC 8628)."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from vclab.client.contexts import checked_token
from vclab.client.http import Http
from vclab.client.problems import error_of
from vclab.model.errors import Failed, Refused, Unreachable

CLIENT = "vclab"  #: client_id
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5.0
"""Seconds by which the pause grows each time that the server says slow_down (RFC 8628 §3.5)."""
LONGEST = 1800.0
"""Seconds that a person gets, whatever the server says."""


@dataclass(frozen=True)
class Begun:
    """What the person has to do, and how long that may take."""

    device_code: str
    user_code: str  #: to be compared with what the page shows
    page: str  #: where to confirm it
    seconds: float
    interval: float


async def begin(server: Http) -> Begun:
    """Ask for a code. The page says from which machine it was asked. Raises as ``Client.call``."""
    status, found = await server.post("/device", {"client_id": CLIENT, "client_name": socket.gethostname()})
    if status != 200:
        raise error_of(status, found, server.url)
    try:
        return Begun(
            str(found["device_code"]),
            str(found["user_code"]),
            _page(found.get("verification_uri_complete") or found["verification_uri"]),
            min(float(found.get("expires_in", LONGEST)), LONGEST),
            max(float(found.get("interval", SLOWER)), 0.0),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Failed(f"what {server.url} answers is not understood", "it may be another version of vclab") from None


async def token(server: Http, begun: Begun) -> str:
    """Wait until the person has confirmed it. Raises ``Refused`` when they did not; as ``Client.call``."""
    until, pause = monotonic() + begun.seconds, begun.interval
    while monotonic() + pause < until:
        await asyncio.sleep(pause)
        try:
            status, found = await server.post("/device/token", _form(begun))
        except Unreachable:
            pause = max(2 * pause, 1.0)  # RFC 8628 §3.5: after a time-out, less often
            continue
        if status == 200 and isinstance(found, dict):
            return checked_token(str(found.get("access_token", "")), f"in the answer of {server.url}")
        said = _said(found)
        if said == "slow_down":
            pause += SLOWER
        elif said != "authorization_pending":
            raise _refused(said, status, found, server)
    raise Refused("nobody confirmed the code in time", "run `vclab login` again")


def _form(begun: Begun) -> dict[str, str]:
    return {"grant_type": GRANT, "device_code": begun.device_code, "client_id": CLIENT}


def _said(found: Any) -> str:
    return str(found.get("error") or found.get("code") or "") if isinstance(found, Mapping) else ""


def _refused(said: str, status: int, found: Any, server: Http) -> Exception:
    if said == "access_denied":
        return Refused("the code was refused in the browser", "run `vclab login` again if that was a mistake")
    if said == "expired_token":
        return Refused("nobody confirmed the code in time", "run `vclab login` again")
    return error_of(status, found, server.url)


def _page(url: Any) -> str:
    """Raises ``ValueError`` for what no browser should be sent to."""
    if not str(url).startswith(("https://", "http://")):
        raise ValueError(url)
    return str(url)
