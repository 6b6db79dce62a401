"""All lives of which a history is kept, by name."""

from tests.histories.lives import (  # noqa: F401  # they register their lives
    captures,
    checks,
    computers,
    connecting,
    copies,
    inspections,
    later,
    loads,
    metal,
    power,
    reinstalls,
    sealing,
    use,
)
from tests.histories.lives.catalog import KEPT, LIVES, RecordedLife

__all__ = ["KEPT", "LIVES", "RecordedLife"]
