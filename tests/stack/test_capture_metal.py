"""Captures of bare metal on the whole stack: sealed and tried on another node, whatever is killed meanwhile."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import LONG, SETTINGS, Stack
from vclab.lab.stock import METAL_IMAGE
from vclab.model.ids import new_id

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1800)]

NODES = ("metal01", "metal02", "metal03", "metal04")
KINDS = (
    "bare-metal.boot_network_to_read",  # at its BMC
    "bare-metal.read_raw",  # reading a disk
    "bare-metal.write",  # writing another one
    "linux.seal",  # in the guest
    "bare-metal.read_sealed",
    "linux.try_login",  # at the end of the boot test
)


@pytest.fixture(scope="module", autouse=True)
def with_help(whole: Stack) -> Iterator[None]:
    """What fails waits for an operator; alice may capture."""
    settings = copy.deepcopy(SETTINGS)
    settings["waits"] |= {"help": 3600, "place_look": 2}
    whole.configure(settings)
    whole.worker_works()
    whole.vclab("--as", "olga", "grant", "add", "image-maker", "--person", "alice", "--everything")
    yield
    whole.configure(SETTINGS)
    whole.worker_works()


class Imaging:
    """A node that alice uses, and that is captured."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.image = stack, f"made-{new_id()[-6:]}"
        self.r = stack.reserve("--wait", "--imaging", image=METAL_IMAGE.name)["id"]
        self.inside("echo mine > ~/notes; echo kept | sudo tee /srv/stays > /dev/null; sync")
        stack.is_in(self.r, "inuse")
        self.key = stack.show(self.r)["host_key"]

    def inside(self, line: str) -> str:
        return self.stack.vclab("connect", self.r, "--", line).stdout

    def capture(self) -> None:
        self.stack.vclab("capture", self.r, "--as", self.image)

    def captured(self) -> Any:
        """Wait for the revision."""
        history = ("image", "history", self.image)
        eventually(lambda: not self.stack.vclab(*history, "--json", check=False).returncode, 8 * LONG, 0.5)
        return self.stack.json(*history)[0]

    def is_unharmed(self) -> None:
        """It is its user's again, as it was."""
        eventually(lambda: self.stack.show(self.r)["word"] == "In use", 2 * LONG, 0.5)
        assert self.inside("cat ~/notes; sudo cat /srv/stays") == "mine\nkept\n"
        assert self.stack.show(self.r)["host_key"] == self.key

    def nothing_is_left(self) -> None:
        """Of the capture, but the revision: no claim, no tenure, no disk."""
        held = "SELECT holder FROM tenures WHERE released_at IS NULL AND purpose = 'capture'"
        eventually(lambda: not self.stack.column(held), LONG, 0.5)
        claims = "SELECT holder FROM claims WHERE NOT released AND holder LIKE 'capture-%'"
        eventually(lambda: not self.stack.column(claims), LONG, 0.5)
        assert list(self.repository.glob("captures/*/*")) == list(self.repository.glob("incoming/*")) == []

    @property
    def repository(self) -> Path:
        return self.stack.layout.folder / "repository"

    def waiting(self) -> str:
        """Wait until it waits for another node; what its user reads of that."""

        def said() -> str:
            found = str(self.stack.show(self.r)["capture"] or "")
            return found if "waits since" in found else ""

        return str(eventually(said, 4 * LONG, 0.5))


@pytest.fixture
def made(stack: Stack) -> Imaging:
    return Imaging(stack)


def test_a_node_is_captured_though_the_worker_is_killed(made: Imaging) -> None:
    """In each kind of step. Whoever gets the image finds what was captured, and nothing of its user."""
    made.capture()
    for step in KINDS:
        made.stack.in_step(made.r, step, 4 * LONG)
        made.stack.kill("worker")
        made.stack.worker_works()
    revision = made.captured()
    assert (revision["state"], revision["untried"]) == ("test", False)
    made.is_unharmed()
    made.nothing_is_left()
    made.stack.vclab("image", "promote", made.image, "1")
    other = made.stack.reserve("--wait", image=made.image, user="olga")["id"]
    seen = made.stack.vclab("--as", "olga", "connect", other, "--", "cat /srv/stays; ls /home; hostname").stdout
    assert seen.splitlines() == ["kept", "olga", made.stack.show(other)["computer"]]
    assert made.stack.show(other)["host_key"] != made.key


def test_it_waits_for_another_node_and_can_be_given_up(made: Imaging) -> None:
    """Its user works on meanwhile; an operator gives it up."""
    own = made.stack.show(made.r)["computer"]
    others = [name for name in NODES if name != own]
    for name in others:
        made.stack.vclab("--as", "olga", "computer", "disable", name, "--why", "its fan is broken")
    try:
        made.capture()
        said = made.waiting()
        assert "no other computer of metal is free (" in said
        assert all(f"metal/{name}: is out of service: its fan is broken" in said for name in others)
        made.is_unharmed()
        made.stack.vclab("--as", "olga", "resolve", made.r, "give-up")
        eventually(lambda: made.stack.show(made.r)["becomes"] is None, LONG, 0.5)
        made.nothing_is_left()
        made.is_unharmed()
    finally:
        for name in others:
            made.stack.vclab("--as", "olga", "computer", "enable", name)
