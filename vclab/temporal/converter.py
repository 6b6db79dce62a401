"""JSON as the SDK writes and reads it, in less time: each step of each load passes a dozen payloads.

The SDK copies a dataclass deeply before it writes it, and works its types out anew whenever it reads one. The bytes are
the same (``tests/workflows/test_converter.py`` compares them), so whoever uses the SDK's own converter understands all.
"""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
    PayloadConverter,
    value_to_type,
)
from temporalio.exceptions import FailureError


class Encoder(AdvancedJSONEncoder):
    """Writes a dataclass field by field: what is in them is not changed meanwhile, and needs no copy."""

    def default(self, o: Any) -> Any:
        """What JSON has no word for."""
        types = _types(o.__class__)
        return {name: getattr(o, name) for name in types} if types else super().default(o)


class Dataclasses(JSONTypeConverter):
    """Reads dataclasses whose fields are all given to their constructor, and nothing where there may be nothing."""

    def to_typed_value(self, hint: type, value: Any) -> Any:
        """The value as that type; all else is the SDK's to read."""
        if value is None and _may_be_none(hint):
            return None
        types = _types(hint)
        if not types or type(value) is not dict:
            return self.Unhandled
        known = {name: given for name, given in value.items() if name in types}
        return hint(**{name: self._typed(types[name], given) for name, given in known.items()})

    def _typed(self, hint: Any, value: Any) -> Any:
        return value if type(value) is hint else value_to_type(hint, value, [self])


class Failures(DefaultFailureConverter):
    """Failures that end in their cause. The Temporal UI shows a trace before it, and what is raised on purpose needs
    none. Bugs keep theirs. The worker's log has both."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """As the SDK, without the trace of what is raised on purpose."""
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, FailureError):
            failure.stack_trace = ""


class Payloads(CompositePayloadConverter):
    """The SDK's converters, with ours for JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                _JSON if isinstance(each, JSONPlainPayloadConverter) else each
                for each in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


@lru_cache(maxsize=1000)
def _types(hint: Any) -> Mapping[str, Any]:
    """The types of a dataclass's fields by name; empty for what is none, or has fields that can't be given."""
    if not isinstance(hint, type) or not dataclasses.is_dataclass(hint):
        return {}
    fields, types = dataclasses.fields(hint), get_type_hints(hint)
    return {field.name: types[field.name] for field in fields} if all(field.init for field in fields) else {}


@lru_cache(maxsize=1000)
def _may_be_none(hint: Any) -> bool:
    return NoneType in get_args(hint)


_JSON = JSONPlainPayloadConverter(encoder=Encoder, custom_type_converters=[Dataclasses()])
CONVERTER = dataclasses.replace(
    DataConverter.default, payload_converter_class=Payloads, failure_converter_class=Failures
)
"""For clients, and the workers that they serve."""
