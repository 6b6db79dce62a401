"""The lab's own tests share one lab."""

from tests.labfixture import lab

__all__ = ["lab"]
