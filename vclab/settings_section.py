"""What the sections of the settings are made of."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

CENTURY = 100 * 365.25 * 86400.0
Wait = Annotated[float, Field(ge=0.1, le=CENTURY)]
"""Seconds."""
Length = Annotated[float, Field(ge=0, le=CENTURY)]
"""Seconds, or none."""


def matching(pattern: str, words: str) -> AfterValidator:
    """Text of this pattern; ``words`` say what it allows."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {words}, not {text!r}")
        return text

    return AfterValidator(check)


Name = Annotated[str, matching("[a-z0-9][a-z0-9-]{0,30}", "1 to 31 small letters, digits and hyphens")]


class Section(BaseModel, extra="forbid", allow_inf_nan=False):
    """A part of the settings. What it does not know is a mistake, and told."""
