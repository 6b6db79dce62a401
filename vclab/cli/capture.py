"""``vclab capture R``: make an image of what a computer holds."""

from typing import Annotated

import typer

from vclab.cli.client import client_of
from vclab.cli.errors import Usage
from vclab.cli.output import say, say_json
from vclab.cli.params import Json, ReservationId
from vclab.cli.running import run
from vclab.contract import acts
from vclab.model.ids import new_id


def capture(
    context: typer.Context,
    r: ReservationId,
    as_: Annotated[str, typer.Option("--as", metavar="NEW", help="A new image.", show_default=False)] = "",
    revision: Annotated[bool, typer.Option("--revision", help="A new revision of its own image.")] = False,
    title: Annotated[str, typer.Option("--title", help="What people read of the new image.", show_default=False)] = "",
    notes: Annotated[str, typer.Option("--notes", help="What has changed.", show_default=False)] = "",
    release: Annotated[
        bool, typer.Option("--release", help="End the reservation as soon as what the computer holds is taken.")
    ] = False,
    force_off: Annotated[
        bool, typer.Option("--force-off", help="Pull the plug if it does not shut down within 5 minutes.")
    ] = False,
    no_boot_test: Annotated[
        bool, typer.Option("--no-boot-test", help="Do not try it on another computer; it says so for ever.")
    ] = False,
    json: Json = False,
) -> None:
    """Make an image of what a computer holds that was reserved with --imaging.

    The computer shuts down, its disk is copied, and it is yours again. From the copy goes what belongs to one computer
    or person (docs/images.md lists it); then another computer is started from it, and somebody logs in. Only then it is
    a revision, for tests: `vclab image promote` gives it to everybody.

    `vclab show R` and `vclab watch R` tell how far it is. When a step fails, an operator's help is asked for; given
    up, nothing is left of it.

    \b
    Examples:
      vclab capture 1f3k9 --as debian-latex --title "Debian 12 with LaTeX"
      vclab capture 1f3k9 --revision --notes "security updates"
      vclab capture 1f3k9 --revision --release
    """
    if bool(as_) == revision:
        raise Usage("a capture needs either a new image or --revision", "use --as NEW, or --revision")
    named = {"image": as_, "title": title, "notes": notes}
    options = {"untried": no_boot_test, "force_off": force_off, "release": release}
    wanted = acts.Capture(reservation=r, capture=new_id(), **named, **options)
    view = run(client_of(context).call(acts.capture, wanted))
    if json:
        say_json(acts.capture.document(view))
    else:
        say(f"{view.id}  is being captured as {view.becomes}; `vclab watch {view.id}` tells how far it is")
