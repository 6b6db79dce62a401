"""The systemd units shut in what they start."""

import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
EXPOSURE = "25"  # tenths
UNITS = ("vclab-api.service", "vclab-worker.service", "vclab-arp@.service", "vclab-netboot.service")


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
    assert {"User=vclab", "User=vclab-api", "User=vclab-netboot", "DynamicUser=yes"} & set(lines)


def test_the_api_reaches_the_secrets_which_are_below_the_workers_folder() -> None:
    """It passes through the folder, which it can neither list nor write."""
    worker = (DEPLOY / "vclab-worker.service").read_text().splitlines()
    assert "StateDirectory=vclab" in worker and "StateDirectoryMode=0711" in worker
    assert "ReadWritePaths=-/var/lib/vclab" in (DEPLOY / "vclab-api.service").read_text().splitlines()
