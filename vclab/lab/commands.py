"""The verbs ``up`` and ``down``; found by the command line through the entry point group ``vclab.commands``."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path | None, typer.Option("--lab", metavar="DIR", help="The lab's folder (or $VCLAB_LAB).", show_default=False)
]
Address = Annotated[
    str, typer.Option("--address", metavar="A", help="Loopback address to answer on; kept.", show_default=False)
]
Foreground = Annotated[bool, typer.Option("--foreground", help="Stay, and show what happens; Ctrl-C stops the lab.")]
Story = Annotated[
    str,
    typer.Argument(
        metavar="[STORY]", help="life, standalone, needs-help, spare, images or capture.", show_default=False
    ),
]
Wipe = Annotated[bool, typer.Option("--wipe", help="Also delete all that the lab holds.")]


def register(app: typer.Typer) -> None:
    """Add the lab's verbs."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("demo")(demo)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def up(lab: Folder = None, address: Address = "", foreground: Foreground = False) -> None:
    """Start the embedded lab.

    It runs Temporal, a simulated vCenter and real Linux machines. It needs root on Linux, and no configuration.
    `vclab up` while the lab is up changes nothing.

    \b
    Examples:
      vclab up
      vclab up --lab /tmp/lab2
    """
    from vclab.lab import lab as embedded
    from vclab.lab.layout import API_URL, Layout
    from vclab.lab.stock import VCENTER_USER

    layout = Layout.of(lab)
    if foreground:
        raise typer.Exit(embedded.run_in_foreground(layout, address, _say))
    new = embedded.up(layout, address, _say)
    at = embedded.addresses(layout)
    typer.echo(f"the lab in {layout.folder} is {'up' if new else 'up already'}")
    typer.echo(f"  API          {at.api}, in the lab {API_URL}, its authority {layout.tls / 'ca.pem'}")
    typer.echo(f"  Temporal UI  {at.ui}, for operators who are signed in")
    typer.echo(f"  Temporal     {at.temporal}")
    typer.echo(f"  vCenter      {at.vcenter} (user {VCENTER_USER}, password in {layout.vcenter / 'password'})")
    typer.echo(f"  settings     {layout.settings_file}")
    if not layout.default:
        typer.echo(f"use it with: export VCLAB_CONFIG={layout.settings_file}")


def down(lab: Folder = None, wipe: Wipe = False) -> None:
    """Stop the embedded lab; `up` restores it.

    All processes are killed, as in a power cut. The next `up` starts the machines that were on.

    \b
    Examples:
      vclab down
      vclab down --wipe
    """
    from vclab.lab import lab as embedded
    from vclab.lab.layout import Layout

    layout = Layout.of(lab)
    done = embedded.down(layout, wipe, _say)
    typer.echo(f"the lab in {layout.folder} {'is wiped' if wipe else 'is down' if done else 'was not up'}")


def demo(story: Story = "life", lab: Folder = None) -> None:
    """Show a reservation's life in the embedded lab.

    Stories: life (a virtual machine, from reserve to end); standalone (a lab machine, which is sanitized at the end);
    needs-help (a load fails on two hosts, an operator repairs the cause and resumes the load);
    spare (an unused machine goes to the next reservation);
    images (a disk image is imported, used on two hosts, replaced and retired);
    capture (an image is made of a user's computer while the worker is killed, and given to somebody else: 5 minutes).
    bare-metal (an image is written to a real disk while the worker is killed, and nothing of its user is left on it).
    The lab is started if it is down, and stays up. The last line is `demo: ok …`.

    \b
    Examples:
      vclab demo
      vclab demo standalone --lab /tmp/lab2
    """
    from vclab.lab import demo as life
    from vclab.lab import demo_bare_metal as bare_metal
    from vclab.lab import demo_capture as capture
    from vclab.lab import demo_images as images
    from vclab.lab import demo_needs_help as needs_help
    from vclab.lab import demo_spare as spare
    from vclab.lab import demo_standalone as standalone
    from vclab.lab import lab as embedded
    from vclab.lab.layout import Layout

    stories = {
        "life": life.Demo,
        "standalone": standalone.Standalone,
        "needs-help": needs_help.NeedsHelp,
        "spare": spare.Spare,
        "images": images.Images,
        "capture": capture.Capture,
        "bare-metal": bare_metal.BareMetal,
    }
    if story not in stories:
        raise typer.BadParameter(f"there is no story {story!r}; there are {', '.join(stories)}", param_hint="STORY")
    layout = Layout.of(lab)
    embedded.up(layout, "", _say)
    typer.echo(stories[story](layout).run())
