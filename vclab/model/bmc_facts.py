"""What a BMC says of itself that somebody could have changed: accounts, boot order, settings of the firmware. Pure.

It is compared with the record at each load: who had the computer before may have had its BMC too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vclab.model import reported

MOST = 64
"""Accounts, and boot devices, of each."""
UNREADABLE = "can't be read"
"""Said of an account in place of what it may do: the BMC does not show it to vclab's own account."""
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
    """What is otherwise than it is recorded, in words. What is not recorded is not compared. What is recorded and not
    told any more is a difference: else who has changed it would only have to hide it."""
    return tuple(_differences(recorded, found))


def not_told(facts: BmcFacts) -> tuple[str, ...]:
    """What can't be compared with a record, in words."""
    partly = any(account.endswith(UNREADABLE) for account in facts.accounts or ())
    missing = [
        (facts.accounts is None, "the accounts of its BMC"),
        (partly, "what some accounts of its BMC may do"),
        (not facts.settings, "the settings of its firmware"),
        (not facts.version, "the version of its BMC's firmware"),
    ]
    return tuple(text for is_so, text in missing if is_so)


def _differences(recorded: BmcFacts, found: BmcFacts) -> Iterator[str]:
    if recorded.accounts is not None:
        yield from _of_accounts(recorded.accounts, found.accounts)
    # Not of the boot device: IPMI tells one only while it is set for ever, and vclab itself sets and clears it.
    if recorded.boot and found.boot and recorded.boot != found.boot:
        yield f"its BMC says that it boots from {', '.join(found.boot)}; recorded is {', '.join(recorded.boot)}"
    if recorded.settings and recorded.settings != found.settings:
        changed = "are not those that are recorded" if found.settings else f"are recorded, {_HIDDEN}"
        yield f"the settings of its firmware {changed}"
    if recorded.version and recorded.version != found.version:
        changed = (
            f"is {found.version}, recorded is {recorded.version}"
            if found.version
            else "is recorded, but it does not tell it any more"
        )
        yield f"the firmware of its BMC {changed}"


_HIDDEN = "but its BMC does not tell them any more"


def _of_accounts(recorded: tuple[str, ...], found: tuple[str, ...] | None) -> Iterator[str]:
    if found is None:
        yield f"the accounts of its BMC are recorded, {_HIDDEN}"
        return
    for account in sorted(set(found) - set(recorded)):
        yield f"its BMC has the account {account}, which is not recorded"
    for account in sorted(set(recorded) - set(found)):
        yield f"its BMC no longer has the account {account}"
