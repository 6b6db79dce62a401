"""What a BMC says of itself that somebody could have changed: accounts, boot order, settings of the firmware. Pure.

It is compared with the record at each load: who had the computer before may have had its BMC too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vclab.model import reported

MOST = 64
"""Accounts, and boot devices, of each."""
_LONGEST = 80


@dataclass(frozen=True)
class BmcFacts:
    """What a BMC says. None, or empty: it does not tell."""

    accounts: tuple[str, ...] | None = None  #: that are enabled, with what they may
    boot: tuple[str, ...] = ()  #: from what the computer boots always: an order, or one device
    settings: str = ""  #: SHA-256 of the settings of the computer's firmware
    version: str = ""  #: of the BMC's own firmware

    def document(self) -> dict[str, Any]:
        """As ``facts_of`` takes it."""
        return asdict(self)


def facts_of(said: object) -> BmcFacts:
    """What a BMC or a record says, with bounds."""
    given = said if isinstance(said, Mapping) else {}
    accounts = given.get("accounts")
    return BmcFacts(
        accounts=_texts(accounts) if isinstance(accounts, list | tuple) else None,
        boot=_texts(given.get("boot")),
        settings=reported.line(given.get("settings"), 64),
        version=reported.line(given.get("version"), _LONGEST),
    )


def _texts(said: object) -> tuple[str, ...]:
    listed = said[:MOST] if isinstance(said, list | tuple) else ()
    return tuple(text for one in listed if (text := reported.line(one, _LONGEST)))


def differences(recorded: BmcFacts, found: BmcFacts) -> tuple[str, ...]:
    """What is otherwise than it is recorded, in words. What either does not know is not compared."""
    return tuple(_differences(recorded, found))


def _differences(recorded: BmcFacts, found: BmcFacts) -> Iterator[str]:
    if recorded.accounts is not None and found.accounts is not None:
        for account in sorted(set(found.accounts) - set(recorded.accounts)):
            yield f"its BMC has the account {account}, which is not recorded"
        for account in sorted(set(recorded.accounts) - set(found.accounts)):
            yield f"its BMC no longer has the account {account}"
    if recorded.boot and found.boot and recorded.boot != found.boot:
        yield f"its BMC says that it boots from {', '.join(found.boot)}; recorded is {', '.join(recorded.boot)}"
    if recorded.settings and found.settings and recorded.settings != found.settings:
        yield "the settings of its firmware are not those that are recorded"
    if recorded.version and found.version and recorded.version != found.version:
        yield f"the firmware of its BMC is {found.version}, recorded is {recorded.version}"
