"""How far work is that takes long, while its answer is waited for.

Over HTTP who asks for a use case that is ``long`` may accept ``LINES`` as its answer: a line of JSON each time that
there is something to tell, at the latest every ``QUIET`` seconds, and as the last one the answer or the problem. Who
accepts JSON only gets the answer when it is there. Who goes away before stops the work, where it can be stopped.
"""

from collections.abc import Callable
from typing import Any

from vclab.contract.views import View

LINES = "application/x-ndjson"
QUIET = 10.0
"""Seconds after which a line says nothing but that the server still works on it: proxies end what is silent."""

Told = Callable[[str, int, int], None]
"""Is told what goes on, the bytes done, and of how many. May be called in any thread."""


def nobody(what: str, done: int, size: int) -> None:
    """Is told, and does nothing."""


class Progress(View):
    """How far it is."""

    what: str  #: "importing debian.qcow2"
    done: int  #: bytes, or whatever is counted
    size: int  #: of how many; 0: not known


class Line(View):
    """One line of the answer. What of these is set is told; nothing: that the server still works on it."""

    progress: Progress | None = None
    answer: Any = None  #: the document of the use case; the last line. It may be null: then it is set to that
    problem: dict[str, Any] | None = None  #: as in ``application/problem+json``; the last line
