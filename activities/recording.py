"""How every record is written."""

from collections.abc import Iterator
from contextlib import contextmanager

from activities import metrics
from activities.errors import failures


@contextmanager
def recording(of_act: bool = False) -> Iterator[None]:
    """Count a record that is tried again, and raise its errors as ``failures`` does."""
    metrics.record_tried()
    with failures(of_act):
        yield
