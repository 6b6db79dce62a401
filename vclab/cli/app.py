"""The whole command line: puts the verbs together, and lets no error out but as one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import takewhile
from typing import Annotated, Any

import typer

from vclab.cli.errors import CODES_HELP, Code, Problem, problem_of, report
from vclab.cli.lazy import Verbs
from vclab.cli.output import note, prepare_streams, printed, say, say_json, say_json_line
from vclab.cli.params import AsUser
from vclab.cli.root import Root


def _version(wanted: bool) -> None:
    if wanted:
        say(f"vclab {version('vclab')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    as_user: AsUser = "",
    server: Annotated[
        str,
        typer.Option(
            "--context", metavar="NAME", help="Talk to this server (see `vclab context`).", show_default=False
        ),
    ] = "",
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
    root.as_user, root.context, root.verb = as_user, server, context.invoked_subcommand or ""


def build() -> typer.Typer:
    """The whole command line, plug-ins included."""
    app = typer.Typer(
        cls=Verbs, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, epilog=CODES_HELP
    )
    app.callback()(_root)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    prepare_streams()
    printed.reset()
    root, stdout = Root(), sys.stdout
    try:
        code = _invoke(arguments, root)
        if sys.stdout is not stdout:
            # Typer has met a broken pipe, put a silent stream in place and said 1.
            sys.stdout = stdout
            raise BrokenPipeError
        if code and _wants_json(arguments) and not printed.documents:
            _say_problem(root.problem or Problem.of_code(code))
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
        root.problem = problem_of(error)
        return report(error, root.verb)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Read from the words themselves: they may be what is wrong. What follows ``--`` is another program's."""
    own = takewhile(lambda word: word != "--", arguments)
    return "--json" in own


def _say_problem(problem: Problem) -> None:
    try:
        (say_json_line if printed.lines else say_json)(problem.json())
    except BrokenPipeError:
        raise
    except OSError:
        return  # stdout is the problem, and stderr has it


def _forget_stdout() -> None:
    """Nobody reads any more: the interpreter's own flush at exit must not complain either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
