"""Killed, cut off, full, locked at any moment of a copy: tried again, there is one copy, and nothing beside it."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.labfixture import eventually
from tests.provisioning.bench import Bench, FakeContext
from tests.provisioning.test_linked import from_repository, job, kept
from tests.provisioning.wire import Wire, insist
from vclab.model.errors import Interrupted, StepFailed, Unreachable
from vclab.model.revisions import CopyJob, Source
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.machines import Machine
from vclab.provisioning.vsphere.module import VSphere

WHOLE = ["disk-flat.vmdk", "disk.vmdk"]
_revisions = itertools.count(100)
Wanted = Callable[[], CopyJob]


@pytest.fixture(params=["endpoint", "repository"])
def wanted(bench: Bench, tmp_path: Path, request: pytest.FixtureRequest) -> Wanted:
    """Jobs, each of a copy that is not there: from a copy on the same endpoint, or from a repository."""

    def made() -> CopyJob:
        revision = next(_revisions)
        if request.param == "endpoint":
            return job(bench, revision=revision)
        return from_repository(bench, kept(tmp_path / "images", revision), revision)

    return made


def files_of(bench: Bench, job: CopyJob) -> list[str] | None:
    """What is in the copy's directory; None: there is none."""
    folder = _images(bench) / f"{job.wanted.image}.{job.wanted.revision}"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else None


def left_beside(bench: Bench, job: CopyJob, folder: Path) -> list[str]:
    """What a copy has left outside of its directory: on the datastore, at the endpoint, in the repository."""
    begins = f"import-{job.wanted.image}.{job.wanted.revision}-"
    imports = [path.name for path in _images(bench).iterdir() if path.name.startswith(begins)]
    incoming = folder / "images/incoming"
    scratch = [path.name for path in incoming.iterdir()] if incoming.exists() else []
    return imports + scratch + [m.name for m in bench.machines() if m.name.startswith(f"vclab-{begins}")]


def _images(bench: Bench) -> Path:
    return bench.simulator.datastore("ds2") / "vclab/images.of_vclab"


@pytest.mark.parametrize(("how", "keeps"), [("after", False), ("before", False), ("lost", True)])
def test_cut_off_at_any_act(bench: Bench, wire: Wire, tmp_path: Path, wanted: Wanted, how: str, keeps: bool) -> None:
    """At each single act of a copy's life on the endpoint, from its directory to its removal."""
    for number in itertools.count(1):
        each = wanted()
        wire.cut(number, how)
        insist(bench, wire, partial(_make, each), keeps)
        cut, wire.cut_at = wire.cut_at, 0
        assert (files_of(bench, each), left_beside(bench, each, tmp_path)) == (WHOLE, []), f"{how} act {number}"
        wire.cut_at = cut
        insist(bench, wire, partial(_remove, each), keeps)
        assert files_of(bench, each) is None, f"{how} act {number}"
        if len(wire.acts) < number:
            assert "MoveVirtualDisk_Task" in wire.acts and number > 4
            return


def _make(job: CopyJob, module: VSphere, context: FakeContext) -> None:
    module.make_copy(context, job)


def _remove(job: CopyJob, module: VSphere, context: FakeContext) -> None:
    module.remove_copy(context, job)


class Hung(FakeContext):
    """Its worker hangs as soon as the copy runs, for so long that another attempt makes it; then it learns that."""

    meanwhile: Callable[["Hung"], object]

    def remember(self, **details: str) -> None:
        """As the base; then the other attempt does it all."""
        super().remember(**details)
        self.meanwhile(self)
        self.cancelled = True


@pytest.mark.parametrize("keeps", [True, False])
def test_an_attempt_that_hung_leaves_the_copy_of_the_next_one(bench: Bench, keeps: bool) -> None:
    """Disks may be made from it by then."""
    wanted, hung = job(bench, revision=next(_revisions)), Hung()
    hung.meanwhile = lambda hung: bench.new_module().make_copy(
        FakeContext(remembered=hung.kept if keeps else {}), wanted
    )
    with pytest.raises(Interrupted):
        bench.module.make_copy(hung, wanted)
    assert files_of(bench, wanted) == WHOLE


def test_a_datastore_that_fills_in_the_middle_of_a_copy(bench: Bench) -> None:
    wanted = job(bench, revision=next(_revisions))
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 1500})
    errors, context = list[Exception](), FakeContext()
    copying = threading.Thread(target=_attempt, args=(bench, wanted, context, errors))
    copying.start()
    eventually(lambda: context.kept, 20)
    bench.simulator.control("POST", "/fault", {"kind": "no_space", "datastore": "ds2"})
    copying.join(30)
    assert len(errors) == 1 and isinstance(errors[0], StepFailed)
    assert "datastore ds2 has no space for a copy of" in str(errors[0])
    assert files_of(bench, wanted) == []
    bench.simulator.control("DELETE", "/fault")
    bench.module.make_copy(FakeContext(remembered=context.kept), wanted)
    assert files_of(bench, wanted) == WHOLE


def _attempt(bench: Bench, wanted: CopyJob, context: FakeContext, errors: list[Exception]) -> None:
    try:
        bench.module.make_copy(context, wanted)
    except Exception as error:
        errors.append(error)


def test_a_parent_that_is_locked_is_waited_for(bench: Bench) -> None:
    """Somebody's machine writes to it: nothing is copied from it until that is off, and it is not deleted."""
    source = job(bench, revision=next(_revisions))
    path = bench.module.make_copy(FakeContext(), source).path
    machine = _writer(bench, path)
    wanted = replace(job(bench, to="ds1", revision=source.wanted.revision), source=Source(storage="ds2", path=path))
    with pytest.raises(Unreachable, match="FileLocked"):
        bench.module.make_copy(FakeContext(), wanted)
    with pytest.raises(StepFailed, match="the disk of their-writer is made from"):
        bench.module.remove_copy(FakeContext(), source)
    assert files_of(bench, source) == WHOLE
    machine.ref.PowerOffVM_Task()
    eventually(lambda: next(m for m in bench.machines() if m.name == machine.name).power == "off", 20)
    bench.module.make_copy(FakeContext(), wanted)
    bench.module.remove_copy(FakeContext(), wanted)


def _writer(bench: Bench, path: str) -> Machine:
    """A machine of somebody else's, that is on and has that very disk."""
    kinds = vim.vm.device
    backing = kinds.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent")
    scsi = kinds.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing")
    disk = kinds.VirtualDisk(key=-1, controllerKey=1000, unitNumber=0, capacityInKB=8 << 20, backing=backing)
    changes = [kinds.VirtualDeviceSpec(operation="add", device=each) for each in (scsi, disk)]
    return bench.foreign("their-writer", on=True, deviceChange=changes)
