"""The hours of the night, by the clock on the wall: for work that nobody waits for."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NIGHT = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", re.ASCII)


@dataclass(frozen=True)
class Night:
    """From ``begins`` to ``ends`` o'clock in a zone, over midnight or not."""

    begins: time
    ends: time
    zone: ZoneInfo

    def has(self, moment: datetime) -> bool:
        """Whether the moment is in the night. Clocks that are changed make a night longer or shorter."""
        clock = moment.astimezone(self.zone).time()
        if self.begins <= self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M} {self.zone.key}"


def parse_night(text: str) -> Night:
    """Of "22:00-06:00 Europe/Berlin"; without a zone in UTC. Raises ``ValueError``."""
    found = _NIGHT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        begins, ends = time.fromisoformat(found[1]), time.fromisoformat(found[2])
        zone = ZoneInfo(found[3] or "UTC")
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise ValueError(f'must be like "22:00-06:00 Europe/Berlin", not {text!r}') from None
    if begins == ends:
        raise ValueError(f"{text!r} is no time at all, or all day; leave it empty for all day")
    return Night(begins, ends, zone)
