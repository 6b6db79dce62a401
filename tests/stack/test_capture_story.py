"""A capture whose worker is killed in the middle of the copy, on the real stack: the story that `vclab demo` tells."""

import pytest

from tests.stack.conftest import Stack
from vclab.lab.demo_capture import Capture

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1500)]


def test_the_story_of_a_capture(stack: Stack) -> None:
    known = {image["name"] for image in stack.json("--as", "olga", "image", "list")}
    assert Capture(stack.layout).run().startswith("demo: ok")
    assert {image["name"] for image in stack.json("--as", "olga", "image", "list")} == known
    assert stack.json("--as", "olga", "grant", "list", "--user", "alice") == [], "the role is taken away again"
    disks = {path.stem.removesuffix("-flat") for path in stack.layout.datastore.parent.rglob("*.vmdk")}
    assert not disks & {"raw", "sealed"}, "what a capture copies in between is deleted"
