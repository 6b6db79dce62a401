"""Work on a revision that a repository keeps, as a workflow asks for it."""

from pathlib import Path

from vclab.library import content
from vclab.library.pace import paced
from vclab.library.repository import Repository
from vclab.library.telling import telling
from vclab.model.errors import CopyLost, NotFound, Unreachable
from vclab.model.revisions import Content, CopyJob
from vclab.model.steps import StepContext


def read(context: StepContext, job: CopyJob) -> Content:
    """All bytes of its disk, read back at the job's rate. Raises ``CopyLost``, ``Interrupted``, ``Unreachable``."""
    wanted = job.wanted
    told = telling(context, lambda percent: f"reading {wanted}: {percent} %")
    try:
        disk = Repository(Path(job.source.repository)).disk(wanted.image, wanted.revision)
        return content.read(disk, paced(told, job.rate))
    except NotFound as error:
        raise CopyLost(str(error)) from None
    except OSError as error:
        raise Unreachable(f"{wanted} on {wanted.place} can't be read: {error.strerror or error}") from None


def remove(context: StepContext, job: CopyJob) -> None:
    """Delete it; harmless when it is gone. Raises ``Fenced`` and ``Unreachable``."""
    context.fence()
    context.progress(f"deleting {job.wanted}")
    Repository(Path(job.source.repository)).remove(job.wanted.image, job.wanted.revision)
