"""The cookies of people's browsers: who they are, and which browser it is.

Over HTTPS their names begin with ``__Host-``: no other host of the domain can set them. None of them can be read by a
script, or is sent along by another site's forms.
"""

from urllib.parse import urlsplit

from fastapi import Request, Response

SESSION, BROWSER = "vclab-session", "vclab-browser"


def public_url(request: Request) -> str:
    """How people reach this server, without a path: as the settings say, else as they have reached it."""
    url: str = getattr(request.app.state, "url", "")
    return url or str(request.base_url).rstrip("/")


def is_same_origin(request: Request) -> bool:
    """Whether a page of ours has sent this, as the browser says. No browser lies about it, and none leaves it out."""
    origin = request.headers.get("origin")
    if origin is None or origin == "null":
        return request.headers.get("sec-fetch-site") == "same-origin"
    ours = urlsplit(public_url(request))
    return origin == f"{ours.scheme}://{ours.netloc}"


def read(request: Request, name: str) -> str:
    """A cookie; empty when there is none."""
    return request.cookies.get(_called(request, name), "")


def write(request: Request, response: Response, name: str, value: str, seconds: float) -> None:
    """Set a cookie."""
    response.set_cookie(
        _called(request, name),
        value,
        int(seconds),
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response, name: str) -> None:
    """Remove a cookie."""
    response.delete_cookie(_called(request, name), secure=_is_secure(request), httponly=True, samesite="lax")


def _is_secure(request: Request) -> bool:
    return public_url(request).startswith("https://")


def _called(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_secure(request) else name
