"""The whole command line: puts the verbs together, and lets no error out but as one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer

from vclab.cli import computer, endpoint, host, image, store, user
from vclab.cli.audit import audit
from vclab.cli.connect import connect
from vclab.cli.context import Root
from vclab.cli.dismiss import dismiss
from vclab.cli.doctor import doctor
from vclab.cli.end import end
from vclab.cli.errors import CODES_HELP, Code, report
from vclab.cli.extend import extend
from vclab.cli.history import history
from vclab.cli.images import images
from vclab.cli.list import list_
from vclab.cli.move import move
from vclab.cli.needs_help import needs_help
from vclab.cli.output import note, prepare_streams, say
from vclab.cli.plugins import load_all
from vclab.cli.reboot import reboot
from vclab.cli.reserve import reserve
from vclab.cli.resolve import resolve
from vclab.cli.show import show
from vclab.cli.status import status
from vclab.cli.watch import watch
from vclab.cli.why import why

GROUP = "vclab.commands"
"""Entry points of this group name functions ``register(app: typer.Typer) -> None``."""

OPERATORS = (needs_help, resolve)

VERBS = (
    images,
    reserve,
    list_,
    show,
    why,
    watch,
    connect,
    extend,
    move,
    reboot,
    end,
    dismiss,
    status,
    doctor,
    history,
    audit,
    *OPERATORS,
)

GROUPS = (user.app, image.app, computer.app, endpoint.app, host.app, store.app)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"vclab {version('vclab')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    as_user: Annotated[str, typer.Option("--as", metavar="USER", help="Act as this user.", show_default=False)] = "",
    version_: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Reserve a computer with an image for a time.

    \b
    Examples:
      vclab images
      vclab reserve debian-12 --for 2h
      vclab connect R
      vclab --as bob list
    """
    root = context.ensure_object(Root)
    root.as_user, root.verb = as_user, context.invoked_subcommand or ""


def build() -> typer.Typer:
    """The whole command line, plug-ins included."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, epilog=CODES_HELP)
    app.callback()(_root)
    for verb in VERBS:
        app.command(verb.__name__.rstrip("_").replace("_", "-"))(verb)
    for group in GROUPS:
        app.add_typer(group)
    for _, register in load_all(GROUP):
        register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    prepare_streams()
    root, stdout = Root(), sys.stdout
    try:
        code = _invoke(arguments, root)
        if sys.stdout is not stdout:
            # Typer has met a broken pipe, put a silent stream in place and said 1.
            sys.stdout = stdout
            raise BrokenPipeError
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        code = Code.BROKEN_PIPE
    return code


def _invoke(arguments: Sequence[str], root: Root) -> int:
    try:
        answer: Any = build()(list(arguments), prog_name="vclab", standalone_mode=False, obj=root)
        return answer if isinstance(answer, int) else Code.OK
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else Code.FAILED
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except Exception as error:  # the last resort: a line instead of a traceback
        if type(error).__name__ == "NoArgsIsHelpError":
            note(str(error))  # the help
            return Code.USAGE
        return report(error, root.verb)


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter's own flush at exit must not complain either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
