"""What only a module knows of an image or an endpoint: versioned JSON that nobody else reads.

The house keeps it as text (``Image.module_data``, ``Endpoint.module_data``) and hands it to the module in the target.
"""

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ValidationError

from vclab.model.errors import Refused, StepFailed


class ModuleData(BaseModel, extra="forbid", frozen=True):
    """Base of a module's data. A later version of it is another class, which reads the earlier one."""

    version: Literal[1] = 1
    content: ClassVar[tuple[str, ...]] = ()
    """Of an image's data: the fields that say what a revision holds. With others it is another revision."""

    def encoded(self) -> str:
        """As it is kept: the same data is always the same text."""
        return self.model_dump_json()

    @classmethod
    def of(cls, text: str, whose: str) -> Self:
        """Read what is kept. Raises ``StepFailed``, which says whose data it is and what is wrong with it."""
        try:
            return cls.model_validate_json(text or "{}")
        except ValidationError as error:
            raise StepFailed(f"the module's data of {whose} can't be read: {_first(error)}") from None

    @classmethod
    def checked(cls, values: dict[str, Any], whose: str) -> Self:
        """From what was said. Raises ``Refused``."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise Refused(f"{whose}: {_first(error)}") from None

    def fields(self) -> dict[str, str]:
        """What is in it, but for its version."""
        return self.model_dump(exclude={"version"})


class NoData(ModuleData):
    """Of a module that needs to know nothing."""


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
