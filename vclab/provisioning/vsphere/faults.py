"""vSphere's faults become the house's errors: by class, never by message."""

from collections.abc import Iterator
from contextlib import contextmanager

from vclab.model.errors import StepFailed, Unreachable
from vclab.provisioning.vsphere.api import Fault, vim, vmodl

_HOPELESS = (
    vim.fault.NoPermission,
    vim.fault.InsufficientResourcesFault,
    vim.fault.NoDiskSpace,
    vim.fault.VmConfigFault,
    vmodl.fault.InvalidArgument,
    vmodl.fault.NotSupported,
    vmodl.fault.MethodNotFound,
)
"""Doing the same again in the same place will not help."""


def kind(fault: Fault) -> str:
    """A fault's class without its name space: "NoDiskSpace"."""
    return type(fault).__name__.rpartition(".")[2]


def words(fault: Fault) -> str:
    """What happened, for people: the class, and the server's own sentence where it has one."""
    said = str(getattr(fault, "msg", "") or "").strip()
    return f"{kind(fault)}: {said}" if " " in said else kind(fault)  # one word is a code, not a sentence


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn faults into ``StepFailed`` or, when trying again may help, ``Unreachable``: "<doing>: <what happened>"."""
    try:
        yield
    except _HOPELESS as fault:
        raise StepFailed(f"{doing}: {words(fault)}") from fault
    except vmodl.MethodFault as fault:
        raise Unreachable(f"{doing}: {words(fault)}; it will be tried again") from fault
