"""One step in a process of its own, to be killed: python -m tests.provisioning.child FILE."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.provisioning.bench import FakeContext
from vclab.model.catalog import Endpoint
from vclab.model.plans import Facts, StepInput
from vclab.provisioning.vsphere.module import VSphere
from vclab.store import targets


class Written(FakeContext):
    """A context that keeps what it is told in a file, as the server keeps heartbeats."""

    path: Path

    def remember(self, **details: str) -> None:
        """Keep it where the next attempt finds it."""
        super().remember(**details)
        self.path.write_text(json.dumps(self.kept))


def main() -> None:
    """Run the step that the file describes."""
    file = Path(sys.argv[1])
    given: dict[str, Any] = json.loads(file.read_text())
    endpoint, target = Endpoint(**given["endpoint"]), targets.recorded(given["target"])
    module = VSphere(lambda name: endpoint, lambda ref: given["password"], "vclab", 4)
    context = Written()
    context.path = file.with_suffix(".kept")
    module.steps()[given["step"]](context, StepInput(given["step"], given["step"], target, Facts()))
    print("done", flush=True)
    time.sleep(60)  # killed here at the latest


if __name__ == "__main__":
    main()
