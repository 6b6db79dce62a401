"""Each bench runs at its smallest and yields its keys. Nothing here looks at a time."""

import json

import pytest
from typer.testing import CliRunner

from vclab.cli.app import build

LIFECYCLE_KEYS = {
    "concurrency",
    "ready_p50_s",
    "ready_p95_s",
    "ready_last_s",
    "bare_p50_s",
    "ratio_to_bare",
    "in_use_last_s",
    "cpu_s_per_life",
    "bytes_per_waiting",
    "worker_bytes_per_waiting",
    "bare_bytes_per_waiting",
    "events_per_life",
}


def bench(*arguments: str) -> object:
    """What `vclab bench … --json` says."""
    done = CliRunner().invoke(build(), ["bench", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.long
def test_lifecycle() -> None:
    rows = bench("lifecycle", "--at", "2", "--rounds", "1", "--waiting", "3")
    assert isinstance(rows, list)
    (row,) = rows
    assert row.keys() == LIFECYCLE_KEYS
    assert row["concurrency"] == 2
    assert all(row[key] > 0 for key in LIFECYCLE_KEYS if "bytes" not in key)


def test_placement() -> None:
    found = bench("placement", "--hosts", "10", "--machines", "20", "--claims", "60", "--placements", "3")
    assert isinstance(found, dict)
    assert found["p99_ms"] > 0 and found["transaction_p99_ms"] > 0
    assert [one["hosts"] for one in found["growth"]] == [1, 3, 10]


def test_vsphere() -> None:
    found = bench("vsphere", "--at", "2", "--loads", "2")
    assert isinstance(found, dict)
    assert found["calls"]["PowerOnVM_Task"] == 1 and found["calls_per_load"] == sum(found["calls"].values())
    (speed,) = found["speed"]
    assert speed.keys() == {"concurrency", "loads_per_minute", "bare_loads_per_minute", "ratio_to_bare"}


@pytest.mark.long
def test_looks() -> None:
    small = ("--in-use", "20", "--every", "1", "--seconds", "3", "--silent", "0", "--retried")
    found = bench("looks", *small)
    assert isinstance(found, dict)
    assert [(one["kept"], one["looks"] > 20) for one in found["in_use"]] == [(True, True), (False, True)]
    assert "RespondActivityTaskFailed" not in found["in_use"][0]["requests"]


@pytest.mark.long
@pytest.mark.lab
@pytest.mark.timeout(1500)
def test_capture() -> None:
    found = bench("capture", "--mib", "16")
    assert isinstance(found, dict)
    steps = [step["name"] for step in found["steps"]]
    for name in ("vsphere.copy_raw", "vsphere.verify_raw", "linux.seal", "vsphere.copy_sealed", "linux.try_login"):
        assert name in steps
    assert 0 < found["seconds_until_back"] < found["seconds"]
    assert found["disk_bytes"] > 16 << 20 and found["bytes_copied"] > found["bytes_read_back"] > found["disk_bytes"]
    assert 1 < found["bytes_copied_to_disk"] <= 2.2


def test_bmcs() -> None:
    found = bench("metal", "--part", "bmcs", "--bmcs", "3", "--dead", "1", "--pairs", "1", "--rounds", "1")
    assert isinstance(found, dict)
    assert (found["bmcs"], found["dead"]) == (3, 1) and "stream_ratio_to_pipe" not in found
    for key in ("bmc_ops_per_minute", "bmc_ops_per_minute_beside_dead", "bmc_op_cpu_seconds", "dead_told_seconds"):
        assert found[key] > 0
    assert found["goals"] == {
        "bmc_ops_ratio_beside_dead": {"goal": ">= 0.95", "met": found["bmc_ops_ratio_beside_dead"] >= 0.95}
    }


@pytest.mark.long
def test_streams() -> None:
    small = ("--mib", "16", "--wave-mib", "16", "--rounds", "1", "--nodes", "3")
    found = bench("metal", "--part", "stream", "--part", "wave", *small)
    assert isinstance(found, dict)
    assert found["disk_mib"] > found["travelled_mib"] > 8
    for key in ("stream_ratio_to_pipe", "read_back_ratio_to_bare", "map_seconds", "wave_seconds"):
        assert found[key] > 0
    # Three want it, and it comes from the disk once: the page cache has it for the others.
    assert found["wave_nodes"] == 3 and 1 <= found["wave_read_bytes"] / found["wave_image_bytes"] * 1.01 < 2
    assert found["goals"].keys() == {"stream_ratio_to_pipe", "wave_read_ratio"}


@pytest.mark.long
def test_api() -> None:
    small = ("--reservations", "100", "--lists", "20", "--starts", "1", "--at-once", "3", "--rounds", "1")
    found = bench("api", *small, "--streams", "5")
    assert isinstance(found, dict)
    assert (found["reservations"], found["at_once"]) == (100, 3)
    assert {
        "list_p95_ms",
        "list_cpu_ms",
        "cli_cold_start_ms",
        "stream_worst_ms",
        "reserve_p95_ms",
        "service_reserve_p95_ms",
    } <= found.keys()
    assert all(value > 0 for value in found.values())


def test_what_can_not_be_measured_is_refused() -> None:
    for words in (("--part", "discs"), ("--bmcs", "3", "--dead", "3")):
        assert CliRunner().invoke(build(), ["bench", "metal", *words]).exit_code == 2
