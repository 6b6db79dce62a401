"""A load that fails in two places waits for an operator, on the real stack: the story that `vclab demo` tells."""

import pytest

from tests.stack.conftest import SETTINGS, Stack
from vclab.lab.demo_needs_help import NeedsHelp

pytestmark = [pytest.mark.lab, pytest.mark.long]


def test_the_story_of_a_load_that_needs_help(stack: Stack) -> None:
    stack.configure({**SETTINGS, "waits": {**SETTINGS["waits"], "help": 7200}})
    try:
        assert NeedsHelp(stack.layout).run().startswith("demo: ok")
    finally:
        stack.configure(SETTINGS)
