"""The steps that bring an image to a node's disk, in the imaging environment."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vclab.imaging import booting, cleaning, inspecting, sender
from vclab.imaging.sender import Node as There
from vclab.library import partitions
from vclab.library.block_map import BlockMap
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import Interrupted, Refused, StepFailed, Unreachable
from vclab.model.nodes import DiskReport, chosen
from vclab.model.plans import Facts, StepInput, Target
from vclab.model.steps import BlockingStep, StepContext
from vclab.provisioning.bare_metal import imaging, plans
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.bare_metal.nodes import Nodes
from vclab.provisioning.bare_metal.returning import Returning

FENCED_EVERY = 5.0
"""Seconds: who writes for long asks so often whether the computer is still its own."""
_CLEANED = "cleaned:"
_MIB = 1 << 20


class Writing:
    """What these steps do. Each may be cut off anywhere, and run again."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def steps(self) -> Mapping[str, BlockingStep]:
        """By recorded name."""
        return {
            plans.FIND_DISK.name: self._find_disk,
            plans.CLEAN.name: self._clean,
            plans.WRITE.name: self._write,
            plans.READ_BACK.name: self._read_back,
            plans.FIT.name: self._fit,
            plans.SET_BOOT_ENTRY.name: self._set_boot_entry,
        }

    def _find_disk(self, context: StepContext, given: StepInput) -> Facts:
        """Nothing is written before it is known that the image fits the node, and the disk that the rule names."""
        target, data = given.target, self._nodes.of(given.target).data
        repository = self._nodes.repository(target)
        with self._reached(context, given) as there:
            found = inspecting.inspect(there, _telling(context, "looked at"))
            disk = _chosen(data, found.disks, target.computer)
            if data.firmware and found.firmware != data.firmware:
                raise StepFailed(
                    f"{target.computer} has booted by {found.firmware}, and must boot by {data.firmware}",
                    "set its firmware so, or change what is kept of it: vclab computer edit --set firmware=…",
                )
            booting.must_fit(found.firmware, _boots(repository, target))
        with self._reached(context, given, disk.path) as there:
            sender.place(there, _map_of(repository, given, context))
            sender.check(there)
        context.progress(f"the image goes to {disk}")
        return Facts(disk=disk.path)

    def _clean(self, context: StepContext, given: StepInput) -> Facts:
        """Every disk, also one that no rule names; but not those that are kept, by their serial numbers."""
        keep, begins = self._nodes.of(given.target).data.keep, _begins(context.remembered)
        context.fence()
        with self._reached(context, given) as there:
            cleaned = cleaning.clean(
                there,
                keep,
                _telling(context, "cleaned"),
                begins,
                lambda disk, byte: context.remember(**{f"{_CLEANED}{disk}": str(byte)}),
            )
        context.progress("; ".join(map(str, cleaned)) or "it has no disk to be cleaned")
        return Facts()

    def _write(self, context: StepContext, given: StepInput) -> Facts:
        """From the last chunk on that an earlier attempt of this step has on the disk."""
        target, repository = given.target, self._nodes.repository(given.target)
        last, at_once = _whole(context.remembered.get("chunk", "")), self._nodes.metal.streams_at_once

        def written(chunk: int) -> None:
            nonlocal last
            last = chunk
            context.remember(chunk=str(chunk))

        with (
            self._reached(context, given) as there,
            repository.reading(at_once, lambda: _waiting(context, repository)),
        ):
            a_map = _map_of(repository, given, context)
            sender.place(there, a_map)
            source = repository.disk(target.image, target.revision)
            context.fence()
            try:
                sender.write(there, source, a_map, last, _telling(context, "written"), written)
            except (Unreachable, StepFailed) as error:
                kind = Unreachable if isinstance(error, Unreachable) else type(error)
                raise kind(f"{error.message}; {last} of {a_map.chunks} chunks were written", error.hint) from None
        return Facts()

    def _read_back(self, context: StepContext, given: StepInput) -> Facts:
        """Before anything boots from it."""
        with self._reached(context, given) as there:
            sender.place(there, _map_of(self._nodes.repository(given.target), given, context))
            sender.verify(there, _telling(context, "read back"))
        return Facts()

    def _fit(self, context: StepContext, given: StepInput) -> Facts:
        """The copy of the partition table to the end of the disk; the last partition as large as it can be."""
        context.fence()
        with self._reached(context, given) as there:
            finished = sender.finish(there, _telling(context, "done"))
        context.progress(finished.text)
        return Facts()

    def _set_boot_entry(self, context: StepContext, given: StepInput) -> Facts:
        """The network first, as before, then this disk; what is read again is told."""
        context.fence()
        with self._reached(context, given) as there:
            context.progress(booting.set_boot_entry(there, _telling(context, "done")).text)
        return Facts()

    @contextmanager
    def _reached(self, context: StepContext, given: StepInput, disk: str = "") -> Iterator[There]:
        """The imaging environment. A node that is lost meanwhile is got back."""
        node, key, began = self._nodes.of(given.target), self._nodes.metal.ssh_key, time.monotonic()
        expected = imaging.expected(node, given)
        try:
            with imaging.reached(expected, key, disk or given.facts.disk) as there:
                yield there
        except Unreachable as error:
            raise Returning(node, expected, key, context).lost(error, began) from None


def _chosen(data: NodeData, disks: Sequence[DiskReport], computer: str) -> DiskReport:
    try:
        return chosen(data.disk, disks, data.keep)
    except Refused as refused:
        hint = f"vclab computer edit {computer} --set disk=serial=…" if disks else "is it plugged in, and does it turn?"
        raise StepFailed(f"{computer}: {refused.message}", hint) from None


def _boots(repository: Repository, target: Target) -> partitions.Boots:
    try:
        return partitions.boots(repository.disk(target.image, target.revision))
    except OSError as error:
        raise Unreachable(f"the repository fails: {repository.folder}: {error.strerror or error}") from None


def _begins(remembered: Mapping[str, str]) -> dict[str, int]:
    """How far each disk was overwritten by an earlier attempt."""
    marks = {key.removeprefix(_CLEANED): value for key, value in remembered.items() if key.startswith(_CLEANED)}
    return {disk: _whole(byte) for disk, byte in marks.items()}


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


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
