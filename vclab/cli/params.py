"""Parameters that several verbs share, with their completion."""

from typing import Annotated

import typer

from vclab.cli.context import Lab


def _ids(incomplete: str) -> list[tuple[str, str]]:
    try:
        return [(v.id, f"{v.image}: {v.word}") for v in Lab().visible() if v.id.startswith(incomplete)]
    except Exception:  # a completion that fails must not spoil the prompt
        return []


def _images(incomplete: str) -> list[tuple[str, str]]:
    try:
        return [(i.name, i.title) for i in Lab().records.images() if i.name.startswith(incomplete)]
    except Exception:  # as above
        return []


ReservationId = Annotated[
    str, typer.Argument(metavar="R", help="The reservation's id (see `vclab list`).", autocompletion=_ids)
]
ImageName = Annotated[
    str, typer.Argument(metavar="IMAGE", help="The image's name (see `vclab images`).", autocompletion=_images)
]
AsUser = Annotated[str, typer.Option("--as", metavar="USER", help="Act as this user.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: stable keys, times in UTC.")]
