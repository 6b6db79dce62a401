"""Files on their way between a person's machine and a repository: disks to be imported, and what was exported.

A file is announced with its size and SHA-256, sent in one request or several, and then named by an import; or an export
makes it, and it is fetched. Whoever was cut off goes on where it ended. It is kept for ``KEPT`` after that.
"""

from collections.abc import AsyncIterator

from vclab.contract.use_case import Content, Nothing, Question, act, delete, get, needs, post, put, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission

KEPT = 7 * 86400.0
"""Seconds since it was last written."""


class Transfer(View):
    """A file on its way."""

    transfer: str  #: its id
    name: str  #: of the file, for people
    repository: str  #: where it is
    size: int  #: bytes
    received: int  #: that are there: what is sent goes on from here
    sha256: str  #: of all of it
    by: str  #: whose it is
    until: Time  #: it is deleted then


class Named(Question):
    """A file on its way: one's own, or anybody's for an operator."""

    transfer: str


class Announce(Question):
    """A file that is to be sent. ``repository``: where to; None: the only one."""

    name: str
    size: int
    sha256: str
    repository: str | None = None


class Part(Named):
    """What is sent: all from ``offset`` on, which is what is there already."""

    offset: int = 0


listing = read(
    "transfers.listing",
    needs(Permission.KEEP),
    Nothing,
    tuple[Transfer, ...],
    get("/transfers"),
    "The caller's files on their way; all for an operator.",
)


announce = act(
    "transfers.announce",
    needs(Permission.KEEP),
    Announce,
    Transfer,
    post("/transfers"),
    "Announce a file that is to be sent. Refused when the repository has no room for it.",
)


show = read(
    "transfers.show",
    needs(Permission.KEEP),
    Named,
    Transfer,
    get("/transfers/{transfer}"),
    "One of them, and how much of it is there.",
)


write = act(
    "transfers.write",
    needs(Permission.KEEP),
    Part,
    Transfer,
    put("/transfers/{transfer}/content"),
    "Send a file, or its rest. What has arrived before the connection was lost stays.",
    content=Content.SENT,
)


fetch = read(
    "transfers.fetch",
    needs(Permission.KEEP),
    Part,
    AsyncIterator[bytes],
    get("/transfers/{transfer}/content"),
    "Fetch a file, or its rest.",
    content=Content.ANSWERED,
)


remove = act(
    "transfers.remove",
    needs(Permission.KEEP),
    Named,
    None,
    delete("/transfers/{transfer}"),
    "Delete a file that is not needed any more. Again is harmless.",
)
