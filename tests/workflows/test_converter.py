"""Payloads are written as the SDK's own converter writes them, and read as the same."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.bridge import worker as bridge
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter, PayloadCodec

from activities.provisioning import Survey
from activities.records import BeginInput, ExtendOutcome, PlaceInput, PlaceOutcome
from tests import histories
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.messages import Published
from vclab.model.plans import Facts, Plan, StepInput
from vclab.temporal import sandbox
from vclab.temporal.converter import CONVERTER

OURS, THEIRS = CONVERTER.payload_converter, DataConverter.default.payload_converter
TYPES: tuple[Any, ...] = (
    StepInput,
    Plan,
    Facts,
    PlaceInput,
    PlaceOutcome,
    BeginInput,
    Survey,
    Published,
    ExtendOutcome,
)


class Colour(StrEnum):
    """Of a thing."""

    RED = "red"


@dataclass(frozen=True)
class Inner:
    """Within another one."""

    colour: Colour = Colour.RED
    share: float = 1.0


@dataclass(frozen=True)
class Outer:
    """Something of each kind that is sent."""

    when: datetime
    many: tuple[Inner, ...] = ()
    perhaps: Inner | None = None
    names: dict[str, int] | None = None
    anything: Any = None


def _payloads(message: Message) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        values = value.values() if field.message_type.GetOptions().map_entry else value
        for each in [values] if isinstance(values, Message) else values:
            if isinstance(each, Message):
                yield from _payloads(each)


@pytest.mark.parametrize("file", sorted(Path(histories.__file__).parent.glob("*.json")), ids=lambda file: file.stem)
def test_all_that_was_ever_sent_is_read_and_written_alike(file: Path) -> None:
    """Whatever type a payload can be read as."""
    for event in WorkflowHistory.from_json("any", file.read_text()).events:
        for payload in _payloads(event):
            for kind in TYPES:
                _same_as_theirs(payload, kind)


def _same_as_theirs(payload: Payload, kind: Any) -> None:
    try:
        theirs = THEIRS.from_payload(payload, kind)
    except Exception:
        with pytest.raises(Exception):  # noqa: B017 — they raise whatever a constructor does
            OURS.from_payload(payload, kind)
        return
    ours = OURS.from_payload(payload, kind)
    assert ours == theirs
    assert OURS.to_payload(ours) == THEIRS.to_payload(theirs)


@pytest.mark.parametrize(
    "value",
    [
        Outer(datetime(2026, 3, 29, 1, tzinfo=UTC)),
        Outer(datetime.max.replace(tzinfo=UTC), (Inner(), Inner(share=2)), Inner(), {"ü": 1}, [1, "zwei", None]),
        Inventory(
            "vc",
            datetime(2026, 11, 21, 9, 30, 0, 5, tzinfo=UTC),
            hosts=(HostFacts("h", 1, 2, True, datastores=("a",)),),
        ),
        {"a": [Inner()]},
        None,
        "plain",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_sent_comes_back(value: Any) -> None:
    """As the same bytes as the SDK writes."""
    payload = OURS.to_payload(value)
    assert payload == THEIRS.to_payload(value)
    kind: Any = type(value) if value is not None else None
    assert OURS.from_payload(payload, kind) == THEIRS.from_payload(payload, kind)


class Upside(PayloadCodec):
    """Writes payloads backwards."""

    async def encode(self, payloads: Any) -> list[Payload]:
        return [Payload(data=each.data[::-1]) for each in payloads]

    async def decode(self, payloads: Any) -> list[Payload]:
        return await self.encode(payloads)


def test_a_codec_is_not_left_out() -> None:
    """Payloads are passed by only where nothing would change them."""
    sandbox.sandbox()

    def walked(codec: PayloadCodec | None) -> bytes:
        done = WorkflowActivationCompletion()
        done.successful.commands.add().complete_workflow_execution.result.data = b"abc"
        converter = DataConverter(payload_codec=codec)
        asyncio.run(bridge.encode_completion(done, converter, encode_headers=False, storage_concurrency_limit=1))
        return bytes(done.successful.commands[0].complete_workflow_execution.result.data)

    assert walked(None) == b"abc"
    assert walked(Upside()) == b"cba"
