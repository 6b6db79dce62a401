"""Verbs whose modules are imported when they are used: ``vclab --help`` and errors don't wait for libraries.

Typer's classes are told of the verbs by their names and one line of help. The real command takes the place of such an
entry when it is called, or when somebody completes its words.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from vclab.cli.plugins import load_all
from vclab.cli.verbs import NOUNS, VERBS, Verb
from vclab.model.errors import Invalid

GROUP = "vclab.commands"
"""Entry points of this group name functions ``register(app: typer.Typer) -> None``."""
MORE_VERBS = "vclab.verbs"
"""Entry points of this group name tuples of ``Verb``: what only a management node has."""

MAY_BE_EMPTY = frozenset({"notes", "title", "affiliation", "imaging_network"})
"""Options that take an empty value: it clears what was there."""

AnyCommand = Any  #: Typer hides the base class of its commands and groups


class Later(TyperCommand):
    """A verb before its module is imported."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, help=verb.help, hidden=verb.hidden)
        self._place = verb.place

    def real(self) -> AnyCommand:
        """The command itself."""
        module, _, name = self._place.partition(":")
        return _command(self.name or "", getattr(import_module(module), name))


class Verbs(TyperGroup):
    """All verbs: our own, and those of plug-ins, which are loaded only when a word is none of ours."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {verb.name: Later(verb) for verb in (*VERBS, *NOUNS)}
        self._plugins_loaded = False
        refuse_empty_values(self)

    def get_command(self, ctx: Any, cmd_name: str) -> AnyCommand:
        """A verb by its name, perhaps still without its module."""
        if cmd_name not in self.commands:
            self._load_plugins()
        return self.commands.get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all verbs."""
        self._load_plugins()
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, AnyCommand, list[str]]:
        """The verb that the words begin with, and the other words."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.real() if isinstance(command, Later) else command, rest

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for _, verbs in load_all(MORE_VERBS):
            for verb in verbs:
                self.commands.setdefault(verb.name, Later(verb))
        app = _holder()
        for _, register in load_all(GROUP):
            register(app)
        for name, command in typer.main.get_group(app).commands.items():
            refuse_empty_values(command)
            self.commands.setdefault(name, command)


def _holder() -> typer.Typer:
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def _command(name: str, found: Any) -> AnyCommand:
    """The command of a verb's function, or of a noun's app."""
    app = _holder()
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
    command = typer.main.get_group(app).commands[name]
    refuse_empty_values(command)
    return command


def refuse_empty_values(command: AnyCommand) -> None:
    """Make ``--option ""`` an error for all options of a command and of the commands in it.

    A shell makes one of a variable that is not set, and what is done without the option is something else.
    """
    for option in command.params:
        if isinstance(option, TyperOption) and not option.is_flag and option.name not in MAY_BE_EMPTY:
            _refuse_empty_value(option)
    for inner in getattr(command, "commands", {}).values():
        if not isinstance(inner, Later):
            refuse_empty_values(inner)


def _refuse_empty_value(option: TyperOption) -> None:
    process = option.process_value

    def checked(ctx: Any, value: Any) -> Any:
        source = ctx.get_parameter_source(option.name)
        if source is not None and source.name == "COMMANDLINE" and _is_empty(value):
            raise Invalid(f"{option.opts[-1]} has an empty value", "give it one, or leave the option out")
        return process(ctx, value)

    option.process_value = checked  # type: ignore[method-assign]  # Typer makes the options itself


def _is_empty(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, Sequence) and any(map(_is_empty, value))
