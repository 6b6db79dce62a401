"""From where somebody is let in: addresses and prefixes of both families."""

import ipaddress
from collections.abc import Iterable, Sequence


def newest_last(known: Sequence[str], *pressed: str) -> tuple[str, ...]:
    """The known addresses with those from which Connect was pressed since at the end."""
    return (*(address for address in known if address not in pressed), *pressed)


def left(acknowledged: Sequence[str], seen: Iterable[str]) -> tuple[str, ...]:
    """Those of the acknowledged addresses or prefixes from which nobody of the ``seen`` is connected.

    Never the newest one, which stands last: whoever pressed Connect there may be on their way.
    """
    addresses = [ipaddress.ip_address(address) for address in seen]
    gone = []
    for text in acknowledged[:-1]:
        network = ipaddress.ip_network(text, strict=False)
        if not any(address in network for address in addresses):
            gone.append(text)
    return tuple(gone)
