"""What a provider's claims mean to this lab, by the names that the settings give them."""

import re
from collections.abc import Mapping
from typing import Any

from vclab.model.errors import Refused
from vclab.model.people import Claims
from vclab.settings_sign_in import ClaimSettings, ProviderSettings

MOST_GROUPS = 1000
LONGEST = 200
"""Characters of a claim that is kept."""
_AFFILIATION = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)


def claims_of(name: str, settings: ProviderSettings, claims: Mapping[str, Any]) -> Claims:
    """Who somebody is. Raises ``Refused`` for somebody who has no name, or no place here."""
    names = settings.claims
    called = _called(claims, names)
    if not called:
        raise Refused(f"{name} does not say what this person is called ({names.login})", "ask an operator")
    shown = set(_words(_find(claims, names.mfa)))
    return Claims(
        provider=name,
        subject=str(claims["sub"]),
        called=called,
        affiliation=_affiliation(name, settings, claims),
        groups=tuple(dict.fromkeys(_words(_find(claims, names.groups))))[:MOST_GROUPS],
        uid=_number(_find(claims, names.uid)),
        mfa=not shown.isdisjoint(settings.mfa_values),
    )


def wanted_are_there(claims: Mapping[str, Any], names: ClaimSettings) -> bool:
    """Whether all that the settings name is among the claims, but for what need not be there."""
    wanted = (names.affiliation, names.groups)
    return bool(_called(claims, names)) and all(not each or _find(claims, each) is not None for each in wanted)


def _called(claims: Mapping[str, Any], names: ClaimSettings) -> str:
    found = (_words(_find(claims, each)) for each in names.login.split("|"))
    return next((words[0] for words in found if words), "")


def _affiliation(name: str, settings: ProviderSettings, claims: Mapping[str, Any]) -> str:
    """``staff@uni.edu`` is of ``uni.edu``."""
    said = [word.rpartition("@")[2].casefold() for word in _words(_find(claims, settings.claims.affiliation))]
    if settings.affiliations:
        known = {key.casefold(): value for key, value in settings.affiliations.items()}
        found = next((known[each] for each in said if each in known), None)
        if found is None:
            raise Refused("people of this affiliation have no access to this lab", "ask an operator")
        return found
    usual = settings.affiliation or name
    return next((each for each in said if _AFFILIATION.fullmatch(each)), usual)


def _find(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the names on the way to it, with dots between."""
    if not name or name in claims:
        return claims.get(name)
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> list[str]:
    """The texts of a claim, which may be one or several; what can't be shown is left out."""
    several = value if isinstance(value, list) else [value]
    return [each for each in several if isinstance(each, str) and 0 < len(each) <= LONGEST and each.isprintable()]


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return int(value) if re.fullmatch(r"[0-9]{1,10}", str(value), re.ASCII) else None
