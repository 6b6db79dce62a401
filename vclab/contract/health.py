"""Is everything there that reservations need?"""

from vclab.contract.use_case import Nothing, anybody, get, read
from vclab.contract.views import View


class Part(View):
    """One part of the installation."""

    name: str
    ok: bool  #: it does what is needed of it
    detail: str  #: where it is, or what is wrong and what to do


class Status(View):
    """All parts. ``ok``: all that is needed is there."""

    ok: bool
    parts: tuple[Part, ...]


status = read(
    "health.status",
    anybody(),
    Nothing,
    Status,
    get("/status"),
    "Whether the database, Temporal and the workers work. Those who maintain the lab are told where they are and what "
    "is wrong, and of stuck workflows, orphaned machines, hosts, datastores, images and loads.",
)
