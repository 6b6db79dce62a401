"""What people read on a terminal can't act on it, whoever chose the words."""

import pytest

from vclab.cli import output
from vclab.cli.errors import report
from vclab.model.errors import StepFailed

HOSTILE = "vm01\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eetad\u2066"
ACTING = ("\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066")


def _tell(text: str) -> None:
    output.say(text)
    output.note(text)
    output.table(("NAME", "REASON"), [(text, text)])
    output.fields([("Reason", text)])
    report(StepFailed(text), "show")


def test_nothing_acts_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(HOSTILE)
    printed = "".join(capsys.readouterr())
    assert printed.count("vm01") == 6
    assert not [each for each in ACTING if each in printed]


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("one\ntwo")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_programs_get_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_json(HOSTILE)
    assert capsys.readouterr().out.isascii()
