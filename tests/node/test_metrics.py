"""The worker's page for Prometheus, read with Prometheus' own parser."""

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.labfixture import eventually
from tests.node.conftest import MakeNode
from tests.node.harness import PATIENCE, Node
from tests.temporal_server import free_ports

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

Samples = dict[str, list[tuple[dict[str, str], float]]]


def page(port: int) -> Samples:
    """Labels and value of each sample, by its name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples of that name with these labels."""
    return sum(value for has, value in samples.get(name, ()) if labels.items() <= has.items())


@pytest.fixture
def port() -> Iterator[int]:
    (free,) = free_ports(1)
    yield free


async def started(make: MakeNode, port: int) -> Node:
    node = make(settings=f'metrics.address = "127.0.0.1:{port}"\n')
    node.start_server()
    await node.answers()
    return node


async def test_a_worker_counts_what_it_does(make: MakeNode, port: int) -> None:
    node = await started(make, port)
    node.start_worker()
    id = node.reserve("--wait")
    seen = page(port)
    assert total(seen, "vclab_loads_total", outcome="loaded") == 1
    assert total(seen, "vclab_step_seconds_count", step="fake.create_vm", outcome="done") == 1
    assert total(seen, "vclab_ready_wait_seconds_count") == 1
    assert total(seen, "temporal_worker_task_slots_available", worker_type="LocalActivityWorker") > 0
    assert "temporal_activity_schedule_to_start_latency_seconds_count" in seen
    node.vclab("connect", id, "--print")
    eventually(lambda: total(page(port), "vclab_look_late_seconds_count"), PATIENCE)
    eventually(lambda: total(page(port), "vclab_computers_watched") == 1, PATIENCE)
    eventually(lambda: total(page(port), "vclab_reservations", state="inuse") == 1, PATIENCE)
    assert total(page(port), "vclab_computers", state="inuse") == 1
    assert {labels["state"] for labels, _ in page(port)["vclab_emergency_administrator"]} == {"made", "used"}
    named = {value for has, _ in (one for many in page(port).values() for one in many) for value in has.values()}
    assert not {value for value in named if id in value or "alice" in value}, "labels name kinds of things only"


async def test_a_load_that_fails_is_counted_with_its_step(make: MakeNode, port: int) -> None:
    node = await started(make, port)
    node.set('fake.failures."fake.create_vm".rate = 1.0\nwaits.help = 0\n')
    node.start_worker()
    node.vclab("reserve", "fake-1", "--for", "1h", "--wait", check=False)
    seen = page(port)
    assert total(seen, "vclab_loads_total", outcome="failed") >= 1
    assert total(seen, "vclab_loads_total", outcome="loaded") == 0
    assert total(seen, "vclab_load_failures_total", step="fake.create_vm") >= 1


async def test_a_port_that_is_taken_is_told_in_one_line(make: MakeNode, port: int) -> None:
    node = await started(make, port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(AssertionError):
            node.start_worker()
    (line,) = [line for line in node.log("worker").splitlines() if "metrics" in line]
    assert f"the metrics can't be served at 127.0.0.1:{port}" in line and "metrics.address" in line
    assert "Traceback" not in node.log("worker")
