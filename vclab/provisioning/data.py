"""Module data: what only a module knows of an image, an endpoint or a computer, as versioned JSON that nothing else
reads.

The house keeps it as text: ``Image.module_data``, ``Endpoint.module_data``, ``Computer.module_data``. It hands the
first two to the module in the target, the last one with the computers of a group.

It must hold no secret: it is copied into targets, so into workflow histories and the database, and ``--json`` prints
it. A secret is put into the secret store, and only named by its reference (as ``Endpoint.password_ref`` is).
"""

import unicodedata
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from vclab.model.errors import Refused, StepFailed


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it must be one line, without control characters")
    return text


def _plain(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t" for character in text):
        raise ValueError("it must have no control characters except newlines and tabs")
    return text


Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
"""One line of text, which may be empty."""

Name = Annotated[Line, StringConstraints(min_length=1)]
"""One line of text."""

Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_plain)]
"""Several lines of text. It is copied into each target, so it is short."""


class ModuleData(BaseModel, extra="forbid", frozen=True):
    """Base of a module's data. A later version of it is another class, which reads the earlier one."""

    version: Literal[1] = 1
    added_with: ClassVar[tuple[str, ...]] = ()
    """Of an image's data: the fields that ``vclab image add`` needs, although the library does without them."""

    content: ClassVar[tuple[str, ...]] = ()
    """Of an image's data: the fields that say what a revision holds. With others it is another revision."""

    def encoded(self) -> str:
        """As it is kept: the same data is always the same text."""
        return self.model_dump_json()

    @classmethod
    def of(cls, text: str, whose: str) -> Self:
        """Read stored data. Raises ``StepFailed``, which says whose data it is and what is wrong with it."""
        try:
            return cls.model_validate_json(text or "{}")
        except ValidationError as error:
            raise StepFailed(f"the module's data of {whose} can't be read: {_first(error)}") from None

    @classmethod
    def checked(cls, values: dict[str, Any], whose: str) -> Self:
        """From entered values. Raises ``Refused``."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise Refused(f"{whose}: {_first(error)}") from None

    @classmethod
    def needed(cls) -> list[str]:
        """The fields that must be given when one is added."""
        return [*(name for name, field in cls.model_fields.items() if field.is_required()), *cls.added_with]

    @classmethod
    def known(cls) -> list[str]:
        """The fields that can be given."""
        return [name for name in cls.model_fields if name != "version"]

    def fields(self) -> dict[str, Any]:
        """Its fields without the version, as in JSON."""
        return self.model_dump(mode="json", exclude={"version"})

    def source(self) -> str:
        """Of an image's data: where its content is, in words; empty when there is nothing to say."""
        return ""


class NoData(ModuleData):
    """Of a module that needs to know nothing."""


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
