"""Work on a revision that a repository keeps, as a workflow asks for it."""

from pathlib import Path

from vclab.library import content
from vclab.library.content import Told
from vclab.library.pace import paced
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Interrupted, NotFound, Unreachable
from vclab.model.revisions import Content, CopyJob
from vclab.model.steps import StepContext


def read(context: StepContext, job: CopyJob) -> Content:
    """All bytes of its disk, read back at the job's rate. Raises ``CopyLost``, ``Interrupted``, ``Unreachable``."""
    wanted = job.wanted
    try:
        disk = Repository(Path(job.source.repository)).disk(wanted.image, wanted.revision)
        return content.read(disk, paced(telling(context, f"reading {wanted}"), job.rate))
    except NotFound as error:
        raise CopyLost(str(error)) from None
    except OSError as error:
        raise Unreachable(f"{wanted} on {wanted.place} can't be read: {error.strerror or error}") from None


def remove(context: StepContext, job: CopyJob) -> None:
    """Delete it; harmless when it is gone. Raises ``Fenced`` and ``Unreachable``."""
    context.fence()
    context.progress(f"deleting {job.wanted}")
    Repository(Path(job.source.repository)).remove(job.wanted.image, job.wanted.revision)


def telling(context: StepContext, what: str) -> Told:
    """Progress in percents, until it is to stop."""

    def told(done: int, size: int) -> None:
        if context.cancelled:
            raise Interrupted("stopped as asked")
        context.progress(f"{what}: {100 * done // max(size, 1)} %")

    return told
