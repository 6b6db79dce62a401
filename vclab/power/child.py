"""``python -I -m vclab.power.child``: one BMC in a process of its own, which can be killed. ``process.py`` starts it.

JSON lines: first how the BMC is reached, with the password; then one call a line; each is answered by one line. It ends
with its input, and by itself a little after the limit of an answer, should nobody be left to kill it.
"""

import base64
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from vclab.model import reported
from vclab.model.errors import StepFailed, Unreachable, VclabError
from vclab.model.redaction import HIDDEN, redacted
from vclab.power.address import Scheme, parse
from vclab.power.base import Boot, BootDevice, Command, Driver, LoginRefused
from vclab.power.ipmi import Ipmi
from vclab.power.redfish import Redfish

LONGEST_LINE = 1 << 16
"""Bytes of a question, and of an answer."""
MEMORY = 1 << 30
"""Bytes of address space: a BMC may answer without end."""
GRACE = 5
"""Seconds after which it ends by itself when nobody has killed it."""

DRIVERS: Mapping[Scheme, Callable[[Any, str, str], Driver]] = {Scheme.IPMI: Ipmi, Scheme.REDFISH: Redfish}
ERRORS = {error.__name__: error for error in (Unreachable, LoginRefused, StepFailed)}
"""What a call may end with, by name."""


def main() -> None:
    """Serve one BMC until the input ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not answer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the password
    asked = _question()
    if asked is None:
        return
    limit, password = int(asked["seconds"]) + GRACE, str(asked["password"])
    signal.alarm(limit)
    driver = _answer(answers, password, lambda: _opened(asked))
    while driver is not None and (call := _question()) is not None:
        signal.alarm(limit)
        _answer(answers, password, lambda call=call: _called(driver, call))  # type: ignore[misc]
    signal.alarm(GRACE)
    if driver is not None:
        driver.close()
    os._exit(0)  # pyghmi's thread may not want to


def _question() -> dict[str, Any] | None:
    line = sys.stdin.buffer.readline(LONGEST_LINE)
    return dict(json.loads(line)) if line.endswith(b"\n") else None


def _opened(asked: Mapping[str, Any]) -> Driver:
    address = parse(str(asked["address"]))
    return DRIVERS[address.scheme](address, str(asked["password"]), str(asked["fingerprint"]))


def _called(driver: Driver, call: Mapping[str, Any]) -> dict[str, Any]:
    match call:
        case {"do": "power"}:
            seen = driver.power()
            return {"state": seen.state, "why": reported.line(seen.why)}
        case {"do": "send", "command": command}:
            driver.send(Command(command))
        case {"do": "boot"}:
            boot = driver.boot()
            return {"device": boot.device, "once": boot.once}
        case {"do": "set_boot", "device": device, "once": once, "efi": efi}:
            driver.set_boot(Boot(BootDevice(device), bool(once), bool(efi)))
        case {"do": "listen", "seconds": seconds, "take": take}:
            return {"held": base64.b64encode(driver.listen(min(float(seconds), GRACE), bool(take))).decode()}
        case {"do": "facts"}:
            return driver.facts().document()
        case _:
            raise StepFailed(f"can't be asked for {call.get('do')}")
    return {}


def _answer(answers: BinaryIO, password: str, call: Callable[[], Any]) -> Any:
    """Answer with what it returns or raises; a driver that was made is returned, and not told."""
    try:
        found = call()
        line: dict[str, Any] = {"ok": found if isinstance(found, dict) else {}}
    except VclabError as error:
        found, line = None, _failure(password, _name(error), error.message, error.hint)
    except Exception as error:  # a library's own: whatever it is, it is told in one line
        found, line = None, _failure(password, "Unreachable", f"can't be asked: {type(error).__name__}: {error}")
    answers.write(json.dumps(line).encode() + b"\n")
    return found


def _failure(password: str, name: str, message: str, hint: str = "") -> dict[str, Any]:
    return {"error": name, "message": _without(password, message), "hint": _without(password, hint)}


def _name(error: VclabError) -> str:
    return next((each.__name__ for each in type(error).__mro__ if each.__name__ in ERRORS), "StepFailed")


def _without(password: str, text: object) -> str:
    clean = reported.line(text)
    return redacted(clean.replace(password, HIDDEN) if password else clean)


if __name__ == "__main__":
    main()
