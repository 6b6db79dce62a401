"""The console as people ask for it: what is refused before anything begins, and whom it is taken from."""

import pytest

from tests.service.conftest import Lab
from vclab.contract import power
from vclab.contract.power import Switch
from vclab.contract.retiring import Named
from vclab.model import power as model
from vclab.model.errors import Invalid
from vclab.model.power import PowerVerb, console_lines, console_text


def asked(verb: PowerVerb = PowerVerb.CONSOLE, seconds: float = 5.0, take: bool = False) -> Switch:
    return Switch(name="metal01", verb=verb, listen_seconds=seconds, take=take)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (asked(seconds=0), "can be listened to for up to"),
        (asked(seconds=1e6), "can be listened to for up to"),
        (asked(PowerVerb.ON), "only a console is listened to"),
        (asked(PowerVerb.STATUS, 0, take=True), "only a console is listened to"),
    ],
)
async def test_what_can_not_be_meant_is_refused(lab: Lab, question: Switch, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        await lab.make_client("olga").call(power.switch, question)
    assert not lab.workflows.sent


async def test_who_listens_already_is_ended_only_when_it_is_asked_for(lab: Lab) -> None:
    client = lab.make_client("olga")
    seen = await client.call(power.switch, asked())
    assert seen.lines == ("login:",)
    await client.call(power.switch, asked(take=True))
    await client.call(power.hang_up, Named(name="metal01"))
    (_, first), *others = lab.workflows.sent
    assert isinstance(first, model.Switch) and first.listen_seconds == 5.0 and not first.changes
    assert [message if isinstance(message, str) else message.take for _, message in others] == [
        "hang up",
        True,
        "hang up",
    ]


@pytest.mark.parametrize("lines", [(), ("one",), ("one", "two", "3 lines")])
def test_lines_come_through_a_heartbeat(lines: tuple[str, ...]) -> None:
    assert console_lines(console_text(7, lines)) == (7, lines)


@pytest.mark.parametrize("text", ["", "asking its BMC", "-1 lines", "\u0663 lines x", "9" * 30 + " lines"])
def test_another_text_is_no_console(text: str) -> None:
    assert console_lines(text) == (0, ())


def test_a_heartbeat_is_bounded() -> None:
    text = console_text(10_000, [f"{number}" for number in range(10_000)])
    assert len(text.splitlines()) == model.MOST_LINES + 1 and text.endswith("9999")
