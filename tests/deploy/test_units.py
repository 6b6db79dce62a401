"""The systemd units shut in what they start."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
EXPOSURE = "25"  # tenths
UNITS = (
    "vclab-api.service",
    "vclab-worker.service",
    "vclab-temporal.service",
    "vclab-arp@.service",
    "vclab-netboot.service",
)


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(unit: str, tmp_path: Path) -> None:
    """`systemd-analyze security` rates what a unit could do if it were taken over, from 0 to 10."""
    copy = tmp_path / unit.replace("@", "")
    shutil.copy(DEPLOY / unit, copy)
    words = ("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", str(copy))
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_no_root_and_no_core(unit: str) -> None:
    lines = (DEPLOY / unit).read_text().splitlines()
    assert "LimitCORE=0" in lines
    assert {"User=vclab", "User=vclab-api", "User=vclab-temporal", "User=vclab-netboot", "DynamicUser=yes"} & set(lines)


def lines_of(unit: str) -> dict[str, str]:
    lines = (DEPLOY / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_api_reaches_the_secrets_which_are_below_the_workers_folder() -> None:
    """It passes through the folder, which it can neither list nor write."""
    worker, api = lines_of("vclab-worker.service"), lines_of("vclab-api.service")
    assert (worker["StateDirectory"], worker["StateDirectoryMode"]) == ("vclab", "0711")
    assert "-/var/lib/vclab" in api["ReadWritePaths"].split()


def test_dnsmasq_is_run_by_what_has_it_forget() -> None:
    """dnsmasq itself keeps entries and leases of machines that have left."""
    python, option, module, server, *_ = lines_of("vclab-netboot.service")["ExecStart"].split()
    assert (python, option, server) == ("/opt/vclab/.venv/bin/python", "-m", "/usr/sbin/dnsmasq")
    assert find_spec(module) is not None


def test_worker_and_api_can_change_what_the_other_has_made() -> None:
    """Images and secrets, by their group; nobody else can read them."""
    for unit in (lines_of("vclab-worker.service"), lines_of("vclab-api.service")):
        assert unit["UMask"] == "0007" and "-/srv/vclab" in unit["ReadWritePaths"].split()
