"""How the verbs of a noun are grouped: ``vclab user add …``."""

import typer

from vclab.cli.root import Root


def group(noun: str, text: str) -> typer.Typer:
    """The verbs of a noun, to which functions are added. Messages name the noun and the verb."""

    def remember_verb(context: typer.Context) -> None:
        root = context.find_object(Root)
        if root is not None:
            root.verb = f"{noun} {context.invoked_subcommand or ''}".strip()

    app = typer.Typer(name=noun, help=text, no_args_is_help=True, rich_markup_mode=None)
    app.callback(help=text)(remember_verb)
    return app
