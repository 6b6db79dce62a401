"""``--set FIELD=VALUE``: module data of images, endpoints and computers, as it is typed and shown."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from vclab.cli.errors import Usage
from vclab.contract import views
from vclab.model.typed import quoted

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of its module; repeatable.", show_default=False),
]


def typed(sets: Iterable[str] | None, options: Mapping[str, str | None]) -> dict[str, str]:
    """The fields that ``--set`` and options of their own give. Raises ``Usage`` when one is given twice."""
    found = {field: value for field, value in options.items() if value is not None}
    for word in sets or ():
        field, equals, value = word.partition("=")
        if not field or not equals:
            raise Usage(f"--set takes FIELD=VALUE, not {quoted(word)}")
        if field in found:
            raise Usage(f"the field {field} is given twice")
        found[field] = value
    return found


def shown(data: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The fields that have a value, for people."""
    return [
        (field.replace("_", " ").capitalize(), views.shown(value)) for field, value in (data or {}).items() if value
    ]
