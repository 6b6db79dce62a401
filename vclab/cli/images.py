"""``vclab images``: what can be reserved."""

import typer

from vclab.cli.asking import disabled
from vclab.cli.client import client_of
from vclab.cli.output import note, say_json, table
from vclab.cli.params import Json
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit
from vclab.contract import reservations
from vclab.contract.reservations import Offer
from vclab.contract.use_case import Nothing

COLUMNS = (
    Column("IMAGE"),
    Column("TITLE", drop=4, fit=Fit.CUT),
    Column("REVISION", drop=3, right=True),
    Column("CPUS", drop=2, right=True),
    Column("MEMORY", drop=1),
    Column("DISK", drop=2),
    Column("NOTE", drop=5, fit=Fit.CUT),
)


def images(context: typer.Context, json: Json = False) -> None:
    """List the images that can be reserved.

    \b
    Examples:
      vclab images
      vclab images --json
    """
    found = run(client_of(context).call(reservations.images, Nothing()))
    if json:
        say_json(reservations.images.document(found))
    elif found:
        table(COLUMNS, map(_row, found))
    else:
        note("There are no images yet.")


def _row(image: Offer) -> tuple[str, ...]:
    size = str(image.cpus), f"{image.memory_mb} MiB", f"{image.disk_gb} GiB"
    return image.name, image.title, str(image.revision), *size, disabled(image)
