"""A table of lab machines: all lines are checked, then all BMCs asked, then all is written, or nothing."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.power import nodes as bmcs
from tests.power.nodes import PASSWORD
from tests.service.conftest import NOW, Lab
from tests.service.test_lab_machines import DEAD, add, add_group, node, nodes, root
from tests.store.lab import HOUR
from vclab.client.protocol import Client
from vclab.contract import computer_import, computers
from vclab.contract.computer_import import MOST_LINES, Report, Table
from vclab.contract.computer_table import read_table
from vclab.contract.computers import Computer
from vclab.contract.lab_machines import What
from vclab.model.errors import Invalid, Refused, Unreachable
from vclab.model.intents import Outcome
from vclab.model.power import PowerAddress
from vclab.model.states import Purpose
from vclab.model.steps import StepContext
from vclab.power.base import Bmc, Seen
from vclab.power.control import Power
from vclab.service import power
from vclab.store import catalog, tenures
from vclab.store import power as power_store

__all__ = ["nodes", "root"]  # fixtures
HEADING = "name,module,mac,address,disk\n"


def table_of(text: str, password: str | None = PASSWORD) -> Table:
    return read_table(text.encode()).model_copy(update={"password": SecretStr(password) if password else None})


def lines_of(*numbers: int) -> str:
    return "".join(f"m{n},fake-metal,52:54:00:00:00:{n:02x},10.9.0.{n},serial=S{n}\n" for n in numbers)


def wrong(report: Report) -> dict[int, str]:
    return {each.line: each.error.message for each in report.lines if each.error is not None}


def reported(error: Refused) -> Report:
    return Report.model_validate(error.more["report"])


async def machines(root: Client) -> dict[str, Computer]:
    return {each.name: each for each in await root.call(computers.listing, computers.Which()) if each.kind == "lab"}


# The file.


@pytest.mark.parametrize(
    "text",
    [
        "name,module,mac\nm1,metal,a\n\nm2,metal,b\n",
        "\ufeffname,module,mac\r\nm1,metal,a\r\n\r\nm2,metal,b",
        "Name;Module;MAC\nm1;metal;a\n;;\nm2;metal;b",
        "name\tmodule\tprivate mac\nm1\tmetal\ta\n\t\t\nm2 \t metal\tb\n",
        'name,module,"mac",,\n"m1",metal,a,,\n,,,\nm2,"metal",b\n',
        "name,module,mac\rm1,metal,a\r\rm2,metal,b\r",
    ],
)
def test_what_spreadsheets_write(text: str) -> None:
    rows = read_table(text.encode()).rows
    assert [row.values for row in rows] == [
        {"name": "m1", "module": "metal", "mac": "a"},
        {"name": "m2", "module": "metal", "mac": "b"},
    ]
    assert [(row.line, row.problem) for row in rows] == [(2, ""), (4, "")]


def test_a_quoted_cell_may_go_over_lines() -> None:
    first, second = read_table(b'name,host_key\nm1,"ssh-ed25519\n AAAA"\nm2,"say ""x"""\n').rows
    assert (first.line, first.values["host_key"]) == (2, "ssh-ed25519\n AAAA")
    assert (second.line, second.values["host_key"]) == (4, 'say "x"')


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not name its columns"),
        (b"\n\n", "does not name its columns"),
        (b"m1,metal,52:54:00:00:00:01\n", "does not name its columns"),
        (b"name,mac,private_mac\nm1,a,b\n", "there are two columns mac"),
        (b"name,mac\n", "the file has no lines below its heading"),
        (b"name,mac\n" + b"m1,a\n" * (MOST_LINES + 1), f"the file has {MOST_LINES + 1} lines below its heading"),
        ("name,mac\nm1,ä\n".encode("latin-1"), "the file is not UTF-8 (line 2)"),
        ("name,mac\nm1,a\n".encode("utf-16"), "the file is not UTF-8 (line 1)"),
        (b'name,mac\nm1,"a\nm2,b\n', "line 2 can't be read: unexpected end of data; look at its quotes"),
        (b'name,mac\nm1,"a"b\n', "line 2 can't be read"),
        (b"name\n" + b"x" * 200_000, "line 2 can't be read: field larger"),
        (b"x" * (computer_import.LARGEST + 1), "the file has more than 16 MiB"),
    ],
)
def test_what_is_no_table(data: bytes, why: str) -> None:
    with pytest.raises(Invalid) as error:
        read_table(data)
    assert why in str(error.value)


# Checked.


@pytest.mark.parametrize("line", ["m1,10.0.0.1", "m1,"])
async def test_a_column_that_means_nothing(root: Client, line: str) -> None:
    with pytest.raises(Invalid, match=r"there is no column 'adress' \(did you mean address\?\)"):
        await root.call(computer_import.preview, table_of(f"name,adress\n{line}\n"))


async def test_all_is_written_at_once(lab: Lab, root: Client) -> None:
    text = HEADING + lines_of(1, 2) + ',,,,\n"m3","fake-metal","52-54-00-00-00-03","10.9.0.3",size=480GB\n'
    planned = await root.call(computer_import.preview, table_of(text))
    assert (planned.add, planned.wrong, planned.passwords, planned.written) == (3, 0, 0, False)
    assert await machines(root) == {}
    assert (await root.call(computer_import.rehearse, table_of(text))).add == 3
    assert await machines(root) == {}
    done = await root.call(computer_import.write, table_of(text))
    assert done.written and [(each.line, each.name, each.group) for each in done.lines] == [
        (2, "m1", "metal"),
        (3, "m2", "metal"),
        (5, "m3", "metal"),
    ]
    there = await machines(root)
    assert (there["m3"].private_mac, there["m3"].private_address) == ("52:54:00:00:00:03", "10.9.0.3")
    assert there["m3"].module_data == {"disk": "size=480GB", "keep": [], "firmware": ""}
    again = await root.call(computer_import.write, table_of(text.replace("10.9.0.2", "10.9.0.77")))
    assert (again.add, again.change, again.same) == (0, 1, 2)
    assert again.lines[1].changes == ("address 10.9.0.2 → 10.9.0.77",)
    assert (await machines(root))["m1"] == there["m1"]
    assert len(await machines(root)) == 3


async def test_the_errors_of_all_lines_are_told_at_once_and_nothing_is_written(lab: Lab, root: Client) -> None:
    await add(root, node("m9"))
    await add(root, node("m8"))
    lab.store.run(lambda s: tenures.take(s, "m8", "r7", Purpose.RESERVATION, NOW + HOUR, NOW))
    text = "name,group,module,mac,address,bmc,user,firmware,password\n" + "".join(
        (
            "m1,,fake-metal,52:54:00:00:00:01,10.9.0.1,,,efi,\n",
            "m2,,fake-metal,52:54:00:00:00:01,10.9.0.2,,,,\n",  # 3
            "m1,,fake-metal,52:54:00:00:00:03,10.9.0.3,,,,\n",
            "käse,,fake-metal,52:54:00:00:00:04,10.9.0.4,,,,\n",  # 5
            "m5,nowhere,,52:54:00:00:00:05,10.9.0.5,,,,\n",
            "m6,,fake-metal,52:54:00:00:00,10.9.0.6,,,,\n",  # 7
            "m7,,fake-metal,52:54:00:00:00:07,10.9.0.9,,,,\n",
            ",,fake-metal,52:54:00:00:00:09,10.9.0.8,,,,\n",  # 9
            "m10,,fake-metal,52:54:00:00:00:10,10.9.0.10,ipmi://a@10.9.1.1,b,,\n",
            "m11,,fake-metal,52:54:00:00:00:11,10.9.0.11,,vclab,,\n",  # 11
            "m12,,fake-metal,52:54:00:00:00:12,10.9.0.12,ipmi://10.9.1.1,vclab,,,stray\n",
            "m13,pcs,,52:54:00:00:00:13,10.9.0.13,,,,\n",  # 13
            "m14,pcs,,52:54:00:00:00:14,,,,efi,\n",
            "m15,,fake-metal,52:54:00:00:00:15,10.9.0.15,ipmi://10.9.1.1,vclab,,\n",  # 15
            "m16,,fake-metal,52:54:00:00:00:16,10.9.0.16,ipmi://10.9.1.1,admin,,\n",
            "m8,,,,10.9.0.80,,,,\n",  # 17
            "vm01,,fake-metal,52:54:00:00:00:18,10.9.0.18,,,,\n",
            "m19,,,52:54:00:00:00:19,10.9.0.19,,,,\n",  # 19
            "m20,,fake-metal,52:54:00:00:00:20,10.9.0.20,,,,hunter2\n",
        )
    )
    report = await root.call(computer_import.preview, table_of(text))
    found = wrong(report)
    for line, part in {
        3: "the MAC 52:54:00:00:00:01 of m2 belongs to m1 (line 2)",
        4: "m1 is on line 2 already",
        5: "'ä' (U+00E4)",
        6: "there is no group of lab machines 'nowhere'",
        7: "'52:54:00:00:00' is not a MAC address",
        8: "the address 10.9.0.9 of m7 belongs to m9",
        9: "it has no name",
        10: "its BMC's user is given twice",
        11: "the user 'vclab' has no BMC",
        12: "'stray' is in no column of the heading",
        13: "the host key of m13 is not known",
        14: "firmware",
        16: "the BMC ipmi://10.9.1.1:623 of m16 belongs to m15 (line 15)",
        17: "m8 is held by r7",
        18: "already a virtual machine's identity vm01",
        19: "m19 is new and needs a group",
        20: "a certificate and a password belong to a BMC",
    }.items():
        assert part in found.pop(line), line
    assert found == {}
    assert report.wrong == 17
    with pytest.raises(Refused, match=r"^17 of 19 lines \(3, 4, 5, 6, 7 …\) are wrong; nothing was written$"):
        await root.call(computer_import.write, table_of(text))
    assert (await root.call(computer_import.rehearse, table_of(text))).wrong == 17
    assert set(await machines(root)) == {"m8", "m9"}
    assert "hunter2" not in str(lab.intents()[-1].arguments)
    assert lab.intents()[-1].outcome is Outcome.REFUSED


async def test_machines_can_exchange_what_they_have(lab: Lab, root: Client) -> None:
    await root.call(computer_import.write, table_of(HEADING + lines_of(1, 2)))
    for name, number in (("m1", 1), ("m2", 2)):
        at = PowerAddress(f"ipmi://vclab@10.9.1.{number}:623", f"power/{name}/x")
        lab.store.run(lambda s, name=name, at=at: power_store.set_address(s, name, at))  # type: ignore[misc]
    text = "name,mac,address\nm1,52:54:00:00:00:02,10.9.0.2\nm2,52:54:00:00:00:01,10.9.0.1\n"
    assert (await root.call(computer_import.write, table_of(text))).change == 2
    there = await machines(root)
    assert (there["m1"].private_mac, there["m2"].private_address) == ("52:54:00:00:00:02", "10.9.0.1")
    swapped = {name: PowerAddress(f"ipmi://vclab@10.9.1.{n}:623", "power/x/y") for name, n in (("m1", 2), ("m2", 1))}
    lab.store.run(lambda s: power_store.set_addresses(s, swapped))
    assert (await machines(root))["m1"].power == "ipmi://vclab@10.9.1.2:623"
    with pytest.raises(Refused, match="m2 is switched at"):
        lab.store.run(lambda s: power_store.set_addresses(s, {"m1": swapped["m2"]}))


async def test_thousands_of_lines(root: Client) -> None:
    number = 3000

    def line(n: int) -> str:
        return f"m{n},fake-metal,52:54:00:00:{n >> 8:02x}:{n & 255:02x},10.9.{n >> 8}.{n & 255},serial=S{n}\n"

    text = HEADING + "".join(map(line, range(1, number + 1)))
    done = await root.call(computer_import.write, table_of(text))
    assert (done.add, done.written) == (number, True)
    assert (await root.call(computer_import.preview, table_of(text))).same == number


async def test_the_example_of_the_documentation(lab: Lab, root: Client) -> None:
    page = (Path(__file__).parents[2] / "docs/bare-metal.md").read_text()
    example = next(block for block in page.split("```\n") if block.startswith("name,"))
    add_group(lab, "rack-3", "bare-metal")
    report = await root.call(computer_import.preview, table_of(example))
    assert (report.add, wrong(report), report.passwords) == (3, {}, 3)


# Asked.


def metal(number: int, address: str) -> str:
    return f"m{number},fake-metal,52:54:00:00:00:{number:02x},10.9.0.{number},{address}\n"


WITH_BMC = "name,module,mac,address,bmc\n"


def together(number: int) -> type[Power]:
    """Asks no BMC before so many are to be asked at the same time."""
    barrier = threading.Barrier(number, timeout=150)

    class Together(Power):
        """Waits for the others."""

        def status(self, bmc: Bmc, context: StepContext) -> Seen:
            """As it is, then."""
            barrier.wait()
            return super().status(bmc, context)

    return Together


async def test_bmcs_are_logged_in_to_at_once_and_a_dead_one_delays_nobody(
    lab: Lab, root: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bmcs.running(tmp_path / "bmcs", "ipmi") as one, bmcs.running(tmp_path / "bmcs", "ipmi", "n2") as two:
        good = [str(each.bmc().address) for each in (one, two)]
        text = WITH_BMC + metal(1, good[0]) + metal(2, good[1])
        dead = "".join(metal(n, f"ipmi://vclab@127.9.9.{n}:6230") for n in range(3, 9))
        with monkeypatch.context() as patched:
            patched.setattr(power, "Power", together(8))
            report = await root.call(computer_import.rehearse, table_of(text + dead))
        assert set(wrong(report)) == set(range(4, 10))
        assert all("its BMC (ipmi 127.9.9." in why for why in wrong(report).values())
        with pytest.raises(Refused, match=r"6 of 8 lines \(4, 5, 6, 7, 8 …\) are wrong") as error:
            await root.call(computer_import.write, table_of(text + dead))
        assert [each.what for each in reported(error.value).lines] == [What.ADD] * 2 + [None] * 6
        assert await machines(root) == {} and lab.backend.secrets.under("power", 2) == []
        assert (await root.call(computer_import.write, table_of(text))).add == 2
    there = await machines(root)
    assert [there["m1"].power, there["m2"].power] == good
    kept = lab.backend.secrets.under("power", 2)
    with lab.store.read() as session:
        at = [power_store.address(session, name) for name in ("m1", "m2")]
    assert sorted(each.password_ref for each in at) == kept
    assert [lab.backend.secrets.power_password(e.password_ref, e.address, e.fingerprint) for e in at] == [PASSWORD] * 2
    same = await root.call(computer_import.write, table_of(text, password=None))
    assert same.same == 2, "nobody is asked again"


async def test_a_password_of_the_file_goes_before_the_one_for_all(lab: Lab, root: Client, tmp_path: Path) -> None:
    with bmcs.running(tmp_path / "bmcs", "ipmi") as one:
        line = metal(1, str(one.bmc().address)).strip()
        own = f"{WITH_BMC.strip()},password\n{line},{PASSWORD}\n"
        report = await root.call(computer_import.preview, table_of(own, password=None))
        assert (report.passwords, report.add) == (0, 1)
        shared = table_of(f"{WITH_BMC}{line}\n", password=None)
        assert (await root.call(computer_import.preview, shared)).passwords == 1
        (why,) = wrong(await root.call(computer_import.rehearse, shared)).values()
        assert "needs the password of" in why
        assert (await root.call(computer_import.write, table_of(own, password="battery-staple"))).add == 1
        assert (await root.call(computer_import.preview, table_of(own))).same == 1
        changed = await root.call(computer_import.preview, table_of(own.replace(PASSWORD, "battery-staple")))
        assert changed.lines[0].changes == ("password of its BMC",)


async def test_a_certificate_is_confirmed_in_its_column(root: Client, tmp_path: Path) -> None:
    with bmcs.running(tmp_path / "bmcs", "redfish") as one:
        line = metal(1, str(one.bmc().address)).strip()
        (seen,) = (await root.call(computer_import.rehearse, table_of(f"{WITH_BMC}{line}\n"))).lines
        assert seen.error is not None and "shows a certificate with SHA-256" in seen.error.message
        assert seen.error.hint == f"confirm it: in the column fingerprint: {one.fingerprint}"
        heading = f"{WITH_BMC.strip()},fingerprint\n"
        assert (await root.call(computer_import.write, table_of(f"{heading}{line},{one.fingerprint}\n"))).add == 1
        (seen,) = (await root.call(computer_import.rehearse, table_of(f"{heading}{line},{'ab' * 32}\n"))).lines
        assert seen.error is not None and "shows another certificate" in seen.error.message


async def test_what_is_cancelled_writes_nothing(lab: Lab, root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    class Told(Power):
        """Says when a BMC is asked."""

        def status(self, bmc: Bmc, context: StepContext) -> Seen:
            """As it is."""
            asked.set()
            return super().status(bmc, context)

    monkeypatch.setattr(power, "Power", Told)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        text = WITH_BMC + metal(1, f"ipmi://vclab@127.0.0.1:{silent.getsockname()[1]}")
        running = asyncio.ensure_future(root.call(computer_import.write, table_of(text)))
        assert await asyncio.to_thread(asked.wait, 60)
        running.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - began < 10, "of 15 s that it waits for an answer"
    assert await machines(root) == {} and lab.backend.secrets.under("power", 2) == []


async def test_nothing_stays_when_it_is_cancelled_while_it_is_written(
    lab: Lab, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[asyncio.Future[Report]] = []
    loop, heard = asyncio.get_running_loop(), threading.Event()

    async def try_all(call: object, attempts: list[power.Attempt], by: str) -> dict[str, power.Tried]:
        return {
            a.name: power.Tried(a.name, a.group, PowerAddress(str(a.address), f"power/{a.name}/x"), "p")
            for a in attempts
        }

    put = catalog.put_lab_computers

    def cancel() -> None:
        running[0].cancel()
        loop.call_later(0.1, heard.set)  # a few turns of the loop later

    def cancelled(*given: object) -> None:
        put(*given)  # type: ignore[arg-type]
        loop.call_soon_threadsafe(cancel)
        assert heard.wait(60)

    monkeypatch.setattr(power, "try_all", try_all)
    monkeypatch.setattr(catalog, "put_lab_computers", cancelled)
    running.append(asyncio.ensure_future(root.call(computer_import.write, table_of(WITH_BMC + metal(1, DEAD)))))
    with pytest.raises(asyncio.CancelledError):
        await running[0]
    async with asyncio.timeout(60):  # who has gone away does not see the end of it
        while lab.backend.secrets.under("power", 2):
            await asyncio.sleep(0.01)
    assert await machines(root) == {}


async def test_who_was_quicker_is_seen_when_it_is_written(
    lab: Lab, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def try_all(*_: object) -> dict[str, power.Tried]:
        lab.store.run(lambda s: catalog.put_lab_computer(s, "m7", endpoint="metal", private_mac="52:54:00:00:00:01"))
        return {}

    monkeypatch.setattr(power, "try_all", try_all)
    with pytest.raises(Refused) as error:
        await root.call(computer_import.write, table_of(HEADING + lines_of(1, 2)))
    assert wrong(reported(error.value)) == {2: "the MAC 52:54:00:00:00:01 of m1 belongs to m7"}
    assert set(await machines(root)) == {"m7"}


async def test_an_error_has_a_code_for_programs(root: Client) -> None:
    report = await root.call(computer_import.rehearse, table_of(WITH_BMC + metal(1, DEAD)))
    document = computer_import.rehearse.document(report)
    assert document["lines"][0]["error"]["code"] == Unreachable.code
    assert (document["lines"][0]["what"], document["wrong"], document["written"]) == (None, 1, False)
