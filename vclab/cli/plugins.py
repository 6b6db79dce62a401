"""Plug-ins: entry points that add verbs (``vclab.commands``, ``vclab.verbs``) and parts of the status."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from vclab.cli.errors import one_line
from vclab.cli.output import note


def load_all(group: str) -> Iterator[tuple[str, Any]]:
    """The names of a group with what they name. What is not installed is passed over, what is broken is told."""
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        try:
            yield point.name, point.load()
        except ModuleNotFoundError as error:
            # A production install leaves the embedded lab out, but its entry point may still be listed.
            if not (error.name and f"{point.module}.".startswith(f"{error.name}.")):
                note(f"vclab: the plug-in {point.name} can't be loaded: {one_line(str(error))}")
        except Exception as error:  # a plug-in's fault must not take the other verbs away
            note(f"vclab: the plug-in {point.name} can't be loaded: {one_line(f'{type(error).__name__}: {error}')}")
