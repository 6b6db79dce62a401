"""How a person reaches computers from where they sit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """Of one person, on this machine."""

    via: tuple[str, ...] = ()  #: command put before ssh
    address: str = ""  #: the address they come from; empty: found out
    identity_file: str = ""
