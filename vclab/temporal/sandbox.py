"""The SDK's sandbox for workflow code, at a price that fits hundreds of reservations.

The SDK imports a workflow's modules anew for each running workflow: 230 KiB and 15 ms of CPU each (SDK 1.35), so that
globals of one can't be seen by another. Our workflow modules have no such globals (``tests/workflows/test_sandbox.py``
looks), so the workflows of a kind share one sandboxed import. All that the sandbox forbids is forbidden as before:
clocks, randomness, files, threads.

The SDK also compiles code for each payload of each workflow task, to ask the workflow for what only codecs and storage
outside of the histories need: a quarter of what a load costs a worker. There is neither, so it is answered at once.

This reaches into the SDK, whose version is pinned: ``tests/workflows/test_sandbox.py`` fails when what it reaches into
has changed, and ``REACHED`` names that.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import Worker, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker._workflow import _WorkflowWorker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext
from temporalio.worker.workflow_sandbox._runner import _Instance

PASSED_THROUGH = ("activities", "vclab", "sqlalchemy", "pydantic_settings")
"""What is deterministic, or never called from workflow code: imported once, outside."""


def sandbox() -> SandboxedWorkflowRunner:
    """A runner for workflows."""
    return Sandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


REACHED = (_Instance, Importer, RestrictionContext, SandboxedWorkflowRunner, _WorkflowWorker)
"""What of the SDK is changed or relied on here."""

PATIENCE = 30
"""Seconds that a workflow task may compute. The SDK interrupts it after 2 s, which a first task takes on a
busy machine. An interrupted workflow can't be evicted: it stands still, and its worker never ends (SDK 1.35)."""


def patient(worker: Worker) -> Worker:
    """The worker, which lets its workflows compute for ``PATIENCE``."""
    inner = worker._workflow_worker
    assert inner is not None and inner._deadlock_timeout_seconds
    inner._deadlock_timeout_seconds = PATIENCE
    return worker


@dataclass(frozen=True)
class Sandbox(SandboxedWorkflowRunner):
    """Runs each workflow in the sandbox of its kind."""

    _importers: "Importers" = field(default_factory=lambda: Importers(), init=False, compare=False)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One workflow."""
        return _Shared(det, self.runner_class, self.restrictions, self._importers)


class Importers:
    """The sandboxed imports, by workflow module."""

    def __init__(self) -> None:
        self.by_module: dict[str, Importer] = {}
        self.making = threading.Lock()  #: two threads must not import a module half each


class _Shared(_Instance):
    """A workflow that shares its imports with the others of its kind."""

    def __init__(
        self,
        details: WorkflowInstanceDetails,
        runner: type[WorkflowRunner],
        restrictions: SandboxRestrictions,
        importers: Importers,
    ) -> None:
        self.instance_details = details
        self.runner_class = runner
        self._current_thread_id: int | None = None
        self.globals_and_locals = {"__file__": "workflow_sandbox.py"}
        module = self._workflow_module_name()
        with importers.making:
            known = importers.by_module.get(module)
            self.importer = known or Importer(restrictions, _ThreadsContext(), workflow_module_name=module)
            if known is None:
                self._create_instance()
                importers.by_module[module] = self.importer
        if known is not None:
            self._create_instance()

    def get_serialization_context(self, command_info: Any) -> None:
        """None: only codecs need it, and there is none."""
        return

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """Nothing is kept outside of the histories."""
        return StorageDriverStoreContext(target=None)


class _ThreadsContext(RestrictionContext):
    """Whether workflow code runs now, for each thread: several workflows use one sandbox at the same time."""

    def __init__(self) -> None:
        self._thread = threading.local()
        super().__init__()

    @property
    def is_runtime(self) -> bool:
        """Whether this thread runs a workflow, and does not only import it."""
        return getattr(self._thread, "is_runtime", False)

    @is_runtime.setter
    def is_runtime(self, value: bool) -> None:
        self._thread.is_runtime = value

    @property
    def in_activation(self) -> bool:
        """Whether this thread goes on with a workflow."""
        return getattr(self._thread, "in_activation", False)

    @in_activation.setter
    def in_activation(self, value: bool) -> None:
        self._thread.in_activation = value
