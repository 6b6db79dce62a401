"""What is wrong with a value, for people: pydantic's findings in the words of this house."""

from collections.abc import Callable, Mapping
from typing import Any

_LONGEST = 60  #: characters of a wrong value that are shown

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda limits: f"must be at least {_number(limits['ge'])}",
    "greater_than": lambda limits: f"must be more than {_number(limits['gt'])}",
    "less_than_equal": lambda limits: f"must be at most {_number(limits['le'])}",
    "less_than": lambda limits: f"must be less than {_number(limits['lt'])}",
    "finite_number": lambda _: "must be a finite number",
    "literal_error": lambda limits: f"must be {limits['expected']}",
    "string_pattern_mismatch": lambda limits: f"must match {limits['pattern']}",
    "too_short": lambda limits: f"must have {limits['min_length']} or more entries",
    "too_long": lambda limits: f"must have {limits['max_length']} or fewer entries",
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
    "datetime": "a date and time",
}


def complaint(found: Mapping[str, Any]) -> str:
    """``must be at least 1, not 0``; what one of pydantic's ``errors()`` says, to be put after the value's name."""
    kind = str(found["type"])
    if kind == "extra_forbidden":
        return "is unknown"
    if kind == "missing":
        return "is missing"
    words = _WORDS[kind](found.get("ctx", {})) if kind in _WORDS else _of_kind(kind)
    return f"{words}, not {_shown(found.get('input'))}" if words else _own_words(found)


def _of_kind(kind: str) -> str:
    name = _KINDS.get(kind.partition("_")[0])
    return f"must be {name}" if name else ""


def _own_words(found: Mapping[str, Any]) -> str:
    """A validator of ours says it itself, and so does pydantic where we know no better."""
    return str(found["msg"]).removeprefix("Value error, ")


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else f"{value:.0f}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, str) and _is_number(value) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
