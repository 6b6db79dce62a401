"""Waiting for vSphere's tasks: progress, cancellation, and adoption of a task that an earlier attempt began."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from vclab.model.errors import Interrupted, Unreachable
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.session import Session

log = logging.getLogger(__name__)

_Collector = vmodl.query.PropertyCollector
_PATHS = ["info.state", "info.error", "info.result", "info.progress"]
_LOOK_SECONDS = 1  #: how soon a cancel is seen


class TaskGone(Unreachable):
    """The endpoint does not know the task (any more): it restarted, or the task ended long ago."""

    def __init__(self, title: str) -> None:
        super().__init__(f"{title} has forgotten a task: did it restart? It will be tried again")


def details(session: Session, task: Ref) -> dict[str, str]:
    """What to remember of a task. Its time too: an endpoint that restarts may give a task's name to another one."""
    queued = (read(session, task, ["info.queueTime"]) or {}).get("info.queueTime", "")
    return {"task": task._moId, "queued": str(queued)}


def adopt(session: Session, remembered: Mapping[str, str]) -> Ref:
    """The task that an earlier attempt remembered. Raises ``TaskGone`` when the endpoint does not know it."""
    task = vim.Task(remembered.get("task", ""), session.content.propertyCollector._stub)
    if not remembered.get("task") or details(session, task) != {k: remembered.get(k) for k in ("task", "queued")}:
        raise TaskGone(session.title)
    return task


def finish(
    session: Session, task: Ref, context: StepContext | None = None, progress: Callable[[int], None] | None = None
) -> Any:
    """Wait until the task has ended and return its result.

    ``progress`` is told percents. With a ``context``, a cancelled step cancels the task; a task that refuses is
    waited for. Raises the task's fault, ``Interrupted`` when it was cancelled, ``TaskGone`` and ``Unreachable``.
    """
    watch = _Watch(session, task)
    asked = False
    try:
        while True:
            seen = watch.look()
            if seen.get("info.state") == "success":
                return seen.get("info.result")
            if seen.get("info.state") == "error":
                raise _error(seen, asked)
            if progress and isinstance(seen.get("info.progress"), int):
                progress(seen["info.progress"])
            if context and context.cancelled and not asked:
                asked = True
                _cancel(task)
    finally:
        watch.close()


def _error(seen: dict[str, Any], asked: bool) -> Exception:
    error = seen.get("info.error")
    if asked and isinstance(error, vmodl.fault.RequestCanceled):
        return Interrupted("stopped as asked; the operation on the endpoint was cancelled")
    return error if isinstance(error, Exception) else vmodl.fault.SystemError()


def _cancel(task: Ref) -> None:
    try:
        task.CancelTask()
    except vmodl.MethodFault as fault:
        log.info("task %s can't be cancelled (%s): waiting for its end", task._moId, type(fault).__name__)


class _Watch:
    """A property collector of its own on one task, made anew if the session is."""

    def __init__(self, session: Session, task: Ref) -> None:
        self._session = session
        self._task = task
        self._collector: Any = None
        self._version = ""
        self._seen: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """All that is known of the task, after a change or a second. Raises ``TaskGone``."""
        if self._collector is None:
            seen = self._now()
            if seen.get("info.state") in ("success", "error"):
                return seen  # most tasks are short: one call then, instead of the five that a collector takes
            try:
                self._open()
            except vmodl.fault.ManagedObjectNotFound:
                return seen  # the session ended meanwhile, and the collector with it: the next look opens another one
        try:
            update = self._collector.WaitForUpdatesEx(
                self._version, _Collector.WaitOptions(maxWaitSeconds=_LOOK_SECONDS)
            )
        except (vmodl.fault.ManagedObjectNotFound, vmodl.query.InvalidCollectorVersion):
            self._collector = None  # it died with the session
            return self._seen
        if update:
            self._version = update.version
            for change in (c for s in update.filterSet for o in s.objectSet for c in o.changeSet):
                self._seen[change.name] = change.val
        return self._seen

    def _now(self) -> dict[str, Any]:
        seen = read(self._session, self._task, _PATHS)
        if seen is None:
            raise TaskGone(self._session.title)
        return seen

    def _open(self) -> None:
        collector = self._session.content.propertyCollector.CreatePropertyCollector()
        spec = _Collector.FilterSpec(
            objectSet=[_Collector.ObjectSpec(obj=self._task)],
            propSet=[_Collector.PropertySpec(type=vim.Task, pathSet=_PATHS)],
        )
        collector.CreateFilter(spec, True)
        self._collector, self._version, self._seen = collector, "", {}

    def close(self) -> None:
        """Give the collector back; a dead endpoint forgets it by itself."""
        if self._collector is not None:
            with suppress(Exception):
                self._collector.DestroyPropertyCollector()
