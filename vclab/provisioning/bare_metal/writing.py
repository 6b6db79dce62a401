"""The steps that bring an image to a node's disk, in the imaging environment."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vclab.imaging import sender
from vclab.imaging.sender import Node as There
from vclab.library.block_map import BlockMap
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import Interrupted
from vclab.model.plans import Facts, StepInput
from vclab.model.steps import BlockingStep, StepContext
from vclab.provisioning.bare_metal import imaging, plans
from vclab.provisioning.bare_metal.nodes import Nodes

FENCED_EVERY = 5.0
"""Seconds: who writes for long asks so often whether the computer is still its own."""
_MIB = 1 << 20


class Writing:
    """What these steps do. Each may be cut off anywhere, and run again."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def steps(self) -> Mapping[str, BlockingStep]:
        """By recorded name."""
        return {
            plans.WRITE.name: self._write,
            plans.READ_BACK.name: self._read_back,
            plans.FIT.name: self._fit,
        }

    def _write(self, context: StepContext, given: StepInput) -> Facts:
        """From the last chunk on that an earlier attempt of this step has on the disk."""
        target, repository = given.target, self._nodes.repository(given.target)
        begin, at_once = int(context.remembered.get("chunk", "0")), self._nodes.metal.streams_at_once
        with (
            self._reached(given) as there,
            repository.reading(at_once, lambda: _waiting(context, repository)),
        ):
            a_map = _map_of(repository, given, context)
            sender.place(there, a_map)
            context.fence()
            sender.write(
                there,
                repository.disk(target.image, target.revision),
                a_map,
                begin,
                _telling(context, "written"),
                lambda chunk: context.remember(chunk=str(chunk)),
            )
        return Facts()

    def _read_back(self, context: StepContext, given: StepInput) -> Facts:
        """Before anything boots from it."""
        with self._reached(given) as there:
            sender.place(there, _map_of(self._nodes.repository(given.target), given, context))
            sender.verify(there, _telling(context, "read back"))
        return Facts()

    def _fit(self, context: StepContext, given: StepInput) -> Facts:
        """The copy of the partition table to the end of the disk; the last partition as large as it can be."""
        context.fence()
        with self._reached(given) as there:
            finished = sender.finish(there, _telling(context, "done"))
        context.progress(finished.text)
        return Facts()

    @contextmanager
    def _reached(self, given: StepInput) -> Iterator[There]:
        expected = imaging.expected(self._nodes.of(given.target), given)
        with imaging.reached(expected, self._nodes.metal.ssh_key, given.facts.disk) as there:
            yield there


def _map_of(repository: Repository, given: StepInput, context: StepContext) -> BlockMap:
    """It was made when the image was brought there; one that is missing is made by reading all of it."""
    target = given.target
    return repository.block_map(target.image, target.revision, _telling(context, "of the image read"))


def _waiting(context: StepContext, repository: Repository) -> None:
    _go_on(context)
    context.progress(f"waiting for others that read from {repository.folder}")


def _telling(context: StepContext, what: str) -> Told:
    """Tells people bytes, rate and time left; asks whether it is to go on, and now and then the fence."""
    began = asked = time.monotonic()
    first = -1

    def told(done: int, of: int) -> None:
        nonlocal asked, first
        _go_on(context)
        if time.monotonic() - asked > FENCED_EVERY:
            asked = time.monotonic()
            context.fence()
        if of:
            first = done if first < 0 else first
            context.progress(_progress(done, of, done - first, time.monotonic() - began, what))

    return told


def _progress(done: int, of: int, since: int, seconds: float, what: str) -> str:
    text = f"{done // _MIB} of {of // _MIB} MiB {what} ({100 * done // of} %)"
    if since and seconds > 1:
        rate = since / seconds
        text += f", {rate / _MIB:.0f} MiB/s, {(of - done) / rate:.0f} s left"
    return text


def _go_on(context: StepContext) -> None:
    if context.cancelled:
        raise Interrupted("stopped, as it was asked to")
