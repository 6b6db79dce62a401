"""``vclab status``: is everything there that reservations need?"""

from collections.abc import Iterable
from typing import Protocol

import typer

from vclab.cli.client import client_of
from vclab.cli.errors import Code, code_of, text_of
from vclab.cli.output import say_json, table
from vclab.cli.params import Json
from vclab.cli.plugins import load_all
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit
from vclab.contract import health
from vclab.contract.health import Part
from vclab.contract.use_case import Nothing

GROUP = "vclab.status"
"""Entry points of this group name functions without arguments that return a list of parts."""

COLUMNS = (Column(""), Column("PART"), Column("DETAIL", fit=Fit.FOLD))


class PartLike(Protocol):
    """One part of the installation, of vclab or of a plug-in: read only."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def ok(self) -> bool:
        """Whether it does what is needed of it."""

    @property
    def detail(self) -> str:
        """Where it is, or what is wrong and what to do."""


def status(context: typer.Context, json: Json = False) -> None:
    """Show whether everything is there that reservations need.

    Temporal, the database, workers on every queue; workflows that are stuck, orphaned machines, hosts out of service,
    datastores that have filled, and suspect images. The exit code is 5 when a part is marked with ✗.

    \b
    Examples:
      vclab status
      vclab status --json
    """
    found = run(client_of(context).call(health.status, Nothing()))
    parts: list[PartLike] = [*found.parts, *_plugged()]
    well = all(part.ok for part in parts)
    if json:
        say_json({"ok": well, "parts": [{"name": p.name, "ok": p.ok, "detail": p.detail} for p in parts]})
    else:
        table(COLUMNS, [("✓" if p.ok else "✗", p.name, p.detail) for p in parts])
    raise typer.Exit(Code.OK if well else Code.UNREACHABLE)


def _plugged() -> Iterable[PartLike]:
    for name, collect in load_all(GROUP):
        try:
            yield from collect()
        except Exception as error:  # one plug-in's fault must not hide the rest
            yield Part(name=name, ok=False, detail=f"{text_of(error)} (exit code {code_of(error)})")
