"""``vclab capture R``: make an image of what a computer holds."""

from typing import Annotated

import typer

from vclab.cli.client import client_of
from vclab.cli.errors import Usage
from vclab.cli.output import say, say_json
from vclab.cli.params import Json, ReservationId
from vclab.cli.running import run
from vclab.model.ids import new_id
from vclab.service import acts


def capture(
    context: typer.Context,
    r: ReservationId,
    as_: Annotated[str, typer.Option("--as", metavar="NEW", help="A new image.", show_default=False)] = "",
    revision: Annotated[bool, typer.Option("--revision", help="A new revision of its own image.")] = False,
    title: Annotated[str, typer.Option("--title", help="What people read of the new image.", show_default=False)] = "",
    notes: Annotated[str, typer.Option("--notes", help="What has changed.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Make an image of what a computer holds that was reserved with --imaging.

    It is a revision for tests then: `vclab image promote` gives it to everybody. Nobody uses the computer while it is
    captured; afterwards it is yours again. `vclab watch R` tells how far it is. When a step fails, an operator's help
    is asked for; given up, nothing is left of it.

    \b
    Examples:
      vclab capture 1f3k9 --as debian-latex --title "Debian 12 with LaTeX"
      vclab capture 1f3k9 --revision --notes "security updates"
    """
    if bool(as_) == revision:
        raise Usage("a capture needs either a new image or --revision", "use --as NEW, or --revision")
    wanted = acts.Capture(reservation=r, capture=new_id(), image=as_, title=title, notes=notes)
    view = run(client_of(context).call(acts.capture, wanted))
    if json:
        say_json(acts.capture.document(view))
    else:
        say(f"{view.id}  is being captured as {view.becomes}; `vclab watch {view.id}` tells how far it is")
