"""What use cases answer with: the one schema of ``--json`` and of the HTTP API. Keys are added to, never renamed."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with whole seconds: ``2025-11-21T10:35:00Z``."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


Time = Annotated[datetime, PlainSerializer(iso, when_used="json")]
"""A moment. For programs in UTC with whole seconds."""


class View(BaseModel):
    """Something as people and programs see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
