"""What an operator's signal asks for: people send them at the Temporal UI or CLI, so anything can be in them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from vclab.model import durations
from vclab.model.errors import Refused


def new_end(args: tuple[Any, ...], end: datetime) -> datetime:
    """The end that an ``extend`` signal asks for: ``"1h"``, ``{"by": "1h"}`` or ``{"to": "2030-01-31T12:00:00Z"}``.

    Raises:
        Refused: it asks for something else; the text says what is understood.
    """
    help_text = 'send one input: "1h", {"by": "1h"} or {"to": "2030-01-31T12:00:00Z"}'
    if len(args) != 1:
        raise Refused(f"extend got {len(args)} inputs; {help_text}")
    given = args[0]
    if isinstance(given, Mapping) and len(given) == 1:
        key, value = next(iter(given.items()))
        if key == "to" and isinstance(value, str):
            return _time(value, help_text)
        given = value if key == "by" else None
    if not isinstance(given, str):
        raise Refused(f"extend got {given!r:.80}; {help_text}")
    return end + timedelta(seconds=durations.parse_duration(given))


def _time(text: str, help_text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"extend got the time {text!r:.80}; {help_text}") from None
    if when.tzinfo is None:
        raise Refused(f"extend got the time {text!r:.80} without a zone; {help_text}")
    return when
