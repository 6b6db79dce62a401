"""What a server says of what went wrong (RFC 9457), as the errors of the house: message, hint and code are its own."""

from collections.abc import Mapping
from typing import Any

from vclab.model.errors import Failed, Forbidden, Invalid, NotFound, NotYet, Refused, Unreachable, VclabError

_KINDS: Mapping[str, type[VclabError]] = {
    "invalid": Invalid,
    "key_reused": Invalid,
    "too_large": Invalid,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "not_yet": NotYet,
    "failed": Failed,
    "internal": Failed,
    "unreachable": Unreachable,
    "busy": Unreachable,
    "in_progress": Unreachable,
}
"""By codes; others are told by the status."""

LOG_IN = "run `vclab login {}`"


def error_of(status: int, document: Any, url: str, otherwise: str = "") -> VclabError:
    """The error that a problem document tells of; of something else, that it is not what a server of vclab says.

    ``otherwise``: its hint, where it has none.
    """
    told = document if isinstance(document, dict) else {}
    code, detail, hint = (told.get(key) or "" for key in ("code", "detail", "hint"))
    if not (isinstance(code, str) and code and isinstance(detail, str)):
        return _of_status(status, url)
    hint = LOG_IN.format(url) if code == "unauthenticated" else str(hint) or otherwise
    error = _coded(_KINDS.get(code) or _kind_of(status), code, detail, hint)
    error.more = told["more"] if isinstance(told.get("more"), dict) else {}
    return error


def _coded(kind: type[VclabError], code: str, message: str, hint: str) -> VclabError:
    error = kind(message) if kind is NotYet else kind(message, hint)
    error.hint, error.code = hint, code  # type: ignore[misc]  # of this one only: programs read the server's own code
    return error


def _kind_of(status: int) -> type[VclabError]:
    if status >= 500:
        return Unreachable if status in (502, 503, 504) else Failed
    return Invalid if status in (400, 413, 415, 422) else Refused


def _of_status(status: int, url: str) -> VclabError:
    """Something between us and the server has answered, or it is another kind of server."""
    if status == 401:
        return _coded(Refused, "unauthenticated", f"{url} does not know who you are", LOG_IN.format(url))
    if 300 <= status < 400:
        return Refused(f"{url} has moved", "ask its administrator for the new URL, and `vclab login` there")
    if status in (502, 503, 504):
        return Unreachable(f"{url} answers, but the server of vclab behind it does not (status {status})")
    return _kind_of(status)(f"{url} does not answer as a server of vclab does (status {status})", "is the URL right?")
