"""The steps that bring an image to a node's disk, in the imaging environment."""

from collections.abc import Mapping, Sequence

from vclab.imaging import booting, cleaning, inspecting, sender
from vclab.library import partitions
from vclab.library.block_map import BlockMap
from vclab.library.repository import Repository
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.nodes import DiskReport, chosen
from vclab.model.plans import Facts, StepInput
from vclab.model.steps import BlockingStep, StepContext
from vclab.provisioning.bare_metal import plans
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.bare_metal.disks import Disk, written
from vclab.provisioning.bare_metal.inspecting import must_be_as_recorded
from vclab.provisioning.bare_metal.nodes import Nodes
from vclab.provisioning.bare_metal.returning import environment
from vclab.provisioning.bare_metal.telling import go_on, telling

_CLEANED = "cleaned:"


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
        target, node = given.target, self._nodes.of(given.target)
        data, source = node.data, written(self._nodes, given)
        with environment(self._nodes, context, given) as there:
            found = inspecting.inspect(there, telling(context, "looked at"))
            must_be_as_recorded(node, found, context)
            disk = _chosen(data, found.disks, target.computer)
            if data.firmware and found.firmware != data.firmware:
                raise StepFailed(
                    f"{target.computer} has booted by {found.firmware}, and must boot by {data.firmware}",
                    "set its firmware so, or change what is kept of it: vclab computer edit --set firmware=…",
                )
            booting.must_fit(found.firmware, _boots(source))
        with environment(self._nodes, context, given, disk.path) as there:
            sender.place(there, _map_of(source, context))
            sender.check(there)
        context.progress(f"the image goes to {disk}")
        return Facts(disk=disk.path)

    def _clean(self, context: StepContext, given: StepInput) -> Facts:
        """Every disk, also one that no rule names; but not those that are kept, by their serial numbers."""
        keep, begins = self._nodes.of(given.target).data.keep, _begins(context.remembered)
        context.fence()
        with environment(self._nodes, context, given) as there:
            cleaned = cleaning.clean(
                there,
                keep,
                telling(context, "cleaned"),
                begins,
                lambda disk, byte: context.remember(**{f"{_CLEANED}{disk}": str(byte)}),
            )
        context.progress("; ".join(map(str, cleaned)) or "it has no disk to be cleaned")
        return Facts()

    def _write(self, context: StepContext, given: StepInput) -> Facts:
        """From the last chunk on that an earlier attempt of this step has on the disk."""
        source = written(self._nodes, given)
        last, at_once = _whole(context.remembered.get("chunk", "")), self._nodes.metal.streams_at_once

        def upto(chunk: int) -> None:
            nonlocal last
            last = chunk
            context.remember(chunk=str(chunk))

        with (
            environment(self._nodes, context, given) as there,
            source.repository.reading(at_once, lambda: _waiting(context, source.repository)),
        ):
            a_map = _map_of(source, context)
            sender.place(there, a_map)
            context.fence()
            try:
                sender.write(there, source.file, a_map, last, telling(context, "written"), upto)
            except (Unreachable, StepFailed) as error:
                kind = Unreachable if isinstance(error, Unreachable) else type(error)
                raise kind(f"{error.message}; {last} of {a_map.chunks} chunks were written", error.hint) from None
        return Facts()

    def _read_back(self, context: StepContext, given: StepInput) -> Facts:
        """Before anything boots from it."""
        with environment(self._nodes, context, given) as there:
            sender.place(there, _map_of(written(self._nodes, given), context))
            sender.verify(there, telling(context, "read back"))
        return Facts()

    def _fit(self, context: StepContext, given: StepInput) -> Facts:
        """The copy of the partition table to the end of the disk; the last partition as large as it can be."""
        context.fence()
        with environment(self._nodes, context, given) as there:
            finished = sender.finish(there, telling(context, "done"))
        context.progress(finished.text)
        return Facts()

    def _set_boot_entry(self, context: StepContext, given: StepInput) -> Facts:
        """The network first, as before, then this disk; what is read again is told."""
        context.fence()
        with environment(self._nodes, context, given) as there:
            context.progress(booting.set_boot_entry(there, telling(context, "done")).text)
        return Facts()


def _chosen(data: NodeData, disks: Sequence[DiskReport], computer: str) -> DiskReport:
    try:
        return chosen(data.disk, disks, data.keep)
    except Refused as refused:
        hint = f"vclab computer edit {computer} --set disk=serial=…" if disks else "is it plugged in, and does it turn?"
        raise StepFailed(f"{computer}: {refused.message}", hint) from None


def _boots(source: Disk) -> partitions.Boots:
    try:
        return partitions.boots(source.file)
    except OSError as error:
        raise Unreachable(f"the repository fails: {source.file}: {error.strerror or error}") from None


def _begins(remembered: Mapping[str, str]) -> dict[str, int]:
    """How far each disk was overwritten by an earlier attempt."""
    marks = {key.removeprefix(_CLEANED): value for key, value in remembered.items() if key.startswith(_CLEANED)}
    return {disk: _whole(byte) for disk, byte in marks.items()}


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _map_of(source: Disk, context: StepContext) -> BlockMap:
    """It was made when the image was brought there; one that is missing is made by reading all of it."""
    return source.block_map(telling(context, "of the image read"))


def _waiting(context: StepContext, repository: Repository) -> None:
    go_on(context)
    context.progress(f"waiting for others that read from {repository.folder}")
