"""``vclab images``: what can be reserved."""

import typer

from vclab.cli.context import lab_of
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.params import Json
from vclab.model.catalog import Image


def images(context: typer.Context, json: Json = False) -> None:
    """List the images that can be reserved.

    \b
    Examples:
      vclab images
      vclab images --json
    """
    found = lab_of(context).records.images()
    if json:
        say_json([_json(image) for image in found])
    elif found:
        table(("IMAGE", "TITLE", "REVISION", "CPUS", "MEMORY", "DISK"), map(_row, found), right=("REVISION", "CPUS"))
    else:
        note("There are no images yet.")


def _row(image: Image) -> tuple[str, ...]:
    return (
        image.name,
        image.title,
        str(image.revision),
        str(image.cpus),
        f"{image.memory_mb} MiB",
        f"{image.disk_gb} GiB",
    )


def _json(image: Image) -> dict[str, JsonValue]:
    return {
        "name": image.name,
        "title": image.title,
        "revision": image.revision,
        "module": image.module,
        "guest": image.guest,
        "cpus": image.cpus,
        "memory_mb": image.memory_mb,
        "disk_gb": image.disk_gb,
    }
