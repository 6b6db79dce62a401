"""All lives of which a history is kept, by name."""

from tests.histories.lives import captures, computers, connecting, copies, later, loads, power, reinstalls, sealing, use  # noqa: F401  # they register their lives
from tests.histories.lives.catalog import KEPT, LIVES, RecordedLife

__all__ = ["KEPT", "LIVES", "RecordedLife"]
