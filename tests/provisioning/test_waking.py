"""A lab machine that is off since nobody needs it: it can be had, and its load switches it on."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.lab_machines import LabMachines
from tests.power.nodes import Context, running
from tests.secret_store import secret_store
from tests.store.lab import RULES
from tests.targets import target_of
from vclab.guests.linux import Linux
from vclab.model.catalog import Computer, Endpoint
from vclab.model.errors import Fenced
from vclab.model.plans import Facts, NodeStatus, StepInput
from vclab.model.power import PowerAddress
from vclab.power.control import Power
from vclab.provisioning import standalone
from vclab.provisioning.standalone import Standalone
from vclab.store import catalog, locks, power
from vclab.store.engine import Store, open_store

TARGET = target_of(module="standalone", computer="pc07", endpoint="labs", host="pc07")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    made.run(lambda s: catalog.put_endpoint(s, Endpoint("labs", "standalone", "", "", "", "")))
    return made


def module_on(store: Store, tmp_path: Path, own: Power) -> Standalone:
    """As the composition root makes it."""

    def group(endpoint: str) -> list[Computer]:
        with store.read() as session:
            return catalog.group(session, endpoint)

    machines = LabMachines(store, Linux(tmp_path / "id", secret_store(tmp_path), ()), RULES)
    return Standalone(
        group, lambda one: "", machines.sanitize, lambda one, context: machines.wake(own, one, context), 0.3
    )


def test_it_is_woken_and_answers(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a real packet; harmless when it is on. Nothing is sent when the tenure is another one's by now."""
    with running(tmp_path, "wol", "pc07") as node:
        bmc = node.bmc()
        monkeypatch.setattr(f"{standalone.__name__}.SSH_PORT", node.node.port)
        store.run(lambda s: catalog.put_lab_computer(s, "pc07", endpoint="labs", address=node.node.address))
        store.run(lambda s: power.set_address(s, "pc07", PowerAddress(str(bmc.address))))
        module = module_on(store, tmp_path, Power(lambda reference: ""))
        (host,) = module.survey("labs").hosts
        assert "does not answer" in host.why_not, "somebody has switched it off"
        status = module.node_status(TARGET)
        assert status.power == "unknown"
        wake, *others = module.load_plan(TARGET, status).steps
        assert (wake.name, others[0].name) == ("standalone.wake", "standalone.check")
        given, context = StepInput(wake.name, wake.title, TARGET, Facts()), Context()
        context.refusal = Fenced("pc07 was given to r7")
        with pytest.raises(Fenced):
            module.steps()[wake.name](context, given)
        for _ in range(2):
            module.steps()[wake.name](Context(), given)
        assert module.node_status(TARGET).power == "on"
        assert module.load_plan(TARGET, module.node_status(TARGET)).steps[0].name == "standalone.check"


def test_it_counts_as_free(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although it does not answer. One that can't be switched on has no such step."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(f"{standalone.__name__}.SSH_PORT", server.getsockname()[1])
    module = module_on(store, tmp_path, Power(lambda reference: ""))
    store.run(lambda s: catalog.put_lab_computer(s, "pc07", endpoint="labs", address="127.0.0.1"))
    assert not module.survey("labs").hosts[0].usable
    store.run(lambda s: setattr(locks.computer(s, "pc07"), "off_since", datetime.now(UTC)))
    assert module.survey("labs").hosts[0].usable
    assert module.load_plan(TARGET, NodeStatus()).steps[0].name == "standalone.check"
