"""docs/installation.md, run as it is written in a new Debian: each command, as whom it names, and what it prints.

The vCenter is the lab's simulator. No machine of it boots: the last thing that is looked at is a computer that is made
there for a reservation.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy import installed_root
from tests.deploy.installed_root import VCENTER, Root
from tests.deploy.test_distribution import _copy, _needs
from tests.labfixture import eventually
from tests.vcsim import VcsimProcess

PAGE = Path(__file__).parents[2] / "docs" / "installation.md"
METAL = PAGE.with_name("bare-metal.md")
NETWORK = """
ip netns add node
ip link add eno2 type veth peer name far netns node
ip address add 10.78.0.1/24 dev eno2
ip link set eno2 up
ip -n node address add 10.78.0.9/24 dev far
ip -n node link set far up
"""
"""The provisioning network, with a machine in it."""
PROGRAMS = """
ip neigh show
echo text | zstd -1 -cq | zstd -dcq
qemu-img --version
{ ssh -F /dev/null -o BatchMode=yes -p 1 root@127.0.0.1 2>&1 || true; } | grep refused
for scheme in ipmi redfish; do
    bmc='{"address": "'$scheme'://root@192.0.2.77", "password": "x", "fingerprint": "", "seconds": 8}'
    printf '%s\\n' "$bmc" '{"do": "power"}' |
        /opt/vclab/.venv/bin/python -I -m vclab.power.child | grep Unreachable
done
"""
"""What the worker runs of other programs; the BMC is away."""
WHO_HAS = """
import time
from vclab.provisioning.arp import asking
with asking("10.78.0.9") as who:
    time.sleep(1)
    print(*who())
"""
PATIENCE = 300.0
ALICE = "four-lamps-under-a-bridge"
UNREADABLE = (
    ("vclab-api", "/var/lib/vclab/id_ed25519"),
    ("vclab-api", "/var/lib/vclab/keys/site-default.key"),
    ("vclab-api", "/etc/vclab/worker.pgpass"),
    ("vclab", "/var/lib/vclab/keys/api.key"),
    ("vclab", "/etc/vclab/api.pgpass"),
    ("vclab", "/etc/vclab/web.key"),
    ("vclab-temporal", "/etc/vclab/api.key"),
    ("olga", "/etc/vclab/root.key"),
)
"""Accounts, and files that they must not read (deploy/README.md)."""
LOSS = """
systemctl stop vclab-worker vclab-api vclab-temporal
runuser -u postgres -- dropdb vclab
for role in migrator worker api reader; do runuser -u postgres -- dropuser vclab_$role; done
rm -r /etc/vclab /var/lib/vclab /var/lib/vclab-temporal /root/.pgpass /etc/postgresql/15/main/conf.d/vclab.conf
for account in vclab vclab-api vclab-temporal; do deluser --quiet $account; done
delgroup --quiet vclab-shared
"""
"""As on a new machine, but for the programs, and the repository."""
CONFIRM = """
import html, re, sys
import httpx
page, login, password, code = sys.argv[1:]

def form(text):
    fields = re.findall(r'type="hidden" name="(\\w+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in fields}

origin = re.match("https://[^/]+", page)[0]
with httpx.Client(verify="/etc/vclab/ca.pem", follow_redirects=True, headers={"Origin": origin}) as browser:
    shown = browser.get(page)
    shown = browser.post(origin + "/sign-in", data=form(shown.text) | {"login": login, "password": password})
    assert code in shown.text, shown.text
    done = browser.post(origin + "/device", data=form(shown.text) | {"user_code": code, "decision": "allow"})
    assert "is let in" in done.text, done.text
"""

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts: needs root")
NEEDS_DEBIANS_PYTHON = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="lays there what this Python has: needs Debian 12's, 3.11"
)
NEEDS_UV = pytest.mark.skipif(installed_root.uv() is None, reason="needs uv, as deploy/setup.sh gets it")


@dataclass(frozen=True)
class Block:
    """Commands of the page, and what it says that they print."""

    section: str
    script: str
    printed: str = ""

    @property
    def account(self) -> str:
        """Whose they are."""
        named = re.match(r"# (olga|alice)\n", self.script)
        return named[1] if named else "root"

    def check(self, said: str) -> None:
        """All lines are there, in this order; … stands for anything."""
        lines = (".*".join(map(re.escape, line.split("…"))) for line in self.printed.splitlines() if line != "…")
        wanted = ".*\n(?:.*\n)*?".join(rf"[^\n]*?{line}" for line in lines)
        assert re.search(wanted, said + "\n"), f"{self.script}\n--- prints\n{said}\n--- not\n{self.printed}"


def blocks() -> list[Block]:
    """Those of the page, in its order."""
    found, section = [], ""
    for heading, kind, text in re.findall(r"^##? ([^\n]+)$|^```(sh|text)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        if heading:
            section = heading
        elif kind == "sh":
            found.append(Block(section, text))
        else:
            before = found.pop()
            found.append(Block(before.section, before.script, text))
    return found


def of(start: str) -> list[Block]:
    """Those of the sections whose headings begin so."""
    found = [block for block in blocks() if block.section.startswith(start)]
    assert found, start
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Root]:
    """The machine on which the page is followed."""
    with installed_root.running(tmp_path) as root:
        yield root


@pytest.fixture
def vcenter(machine: Root, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VcsimProcess]:
    """In the machine's network, whose port 443 the API has."""
    made = VcsimProcess(tmp_path_factory.mktemp("vcenter"))
    made.user, made.address, made.port = "vclab@vsphere.local", VCENTER, 8443
    process = subprocess.Popen([*machine.in_its_network, *made.command()], stdout=subprocess.DEVNULL)
    yield made
    process.terminate()
    process.wait(20)


def follow(machine: Root, start: str, **replaced: str) -> None:
    """Run a section, and look at what it prints."""
    for block in of(start):
        script = block.script
        for before, after in replaced.items():
            script = script.replace(before, after)
        block.check(machine.shell(script, block.account))


def await_only(machine: Root, wrong: set[str]) -> None:
    """Wait until `vclab doctor` finds nothing wrong but these. The services need some seconds to begin."""
    deadline, found = time.monotonic() + PATIENCE, {"nothing yet"}
    while found != wrong:
        assert time.monotonic() < deadline, machine.shell("vclab doctor", check=False) + machine.logs()
        document = json.loads(machine.shell("vclab doctor --json", check=False))
        found = {check["name"] for check in document["checks"] if not check["ok"]}


def make_disk(file: Path) -> None:
    """A disk with a partition table, as somebody has exported it."""
    raw = file.with_suffix(".raw")
    with raw.open("wb") as made:
        made.truncate(64 << 20)
    subprocess.run(["sfdisk", "--quiet", str(raw)], input="label: gpt\nsize=16M\n", text=True, check=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", str(raw), str(file)], check=True)


def give(machine: Root, account: str) -> None:
    """What somebody has on a machine of their own: the command line's wheel, what it needs, and the authority."""
    machine.shell(f"useradd --create-home --shell /bin/bash {account}")
    machine.shell(f"install -o {account} /srv/vclab-wheels/vclab-*.whl /root/vclab-ca/ca.pem -t /home/{account}")
    machine.shell("python3 -m venv ~/vclab; ssh-keygen -q -t ed25519 -N '' -f alice; ls ~/vclab/lib", account)
    (site,) = (machine.path / f"home/{account}/vclab/lib").glob("*/site-packages")
    for needed in _needs("vclab"):
        _copy(needed, site)


def log_in(machine: Root, block: Block, password: str) -> None:
    """The command line shows a page and a code, which are confirmed in a browser."""
    where = f"cd /home/{block.account}\n"
    process = machine.start("bash", "-euo", "pipefail", "-c", where + block.script, account=block.account)
    assert process.stdout is not None
    said = ""
    while "the code" not in said:
        line = process.stdout.readline()
        assert line, said + machine.logs()
        said += line
    page, code = re.findall(r"https://\S+/device\S*|(?<=the code )\S+", said)
    confirm = f"/opt/vclab/.venv/bin/python - {page} {block.account} {password} {code} <<'END'\n{CONFIRM}\nEND"
    machine.shell(confirm)
    rest, _ = process.communicate(timeout=60)
    block.check(said + rest)


def shut_in_as_the_worker(script: str) -> str:
    """Has its unit run a script instead, once."""
    unit = "/etc/systemd/system/as-the-worker.service"
    lines = (
        "/^ExecStart=/d; /^Restart/d; s,^.Service.,&\\nType=oneshot\\nExecStart=/bin/bash -euo pipefail /srv/script,"
    )
    return f"""cat > /srv/script <<'END'
{script}
END
sed '{lines}' deploy/vclab-worker.service > {unit}
systemctl daemon-reload
systemctl start as-the-worker || {"{"} journalctl --no-pager --unit as-the-worker; exit 1; {"}"}"""


def add_netboot(machine: Root) -> None:
    """As docs/bare-metal.md says, without what is fetched. The worker's account asks who is there, by the helper."""
    (script,) = re.findall(r"### Setting it up\n.*?^```sh\n(.*?)^```", METAL.read_text(), re.M | re.S)
    machine.shell(NETWORK)
    built = "install -d -o vclab -g vclab-netboot /var/lib/vclab-netboot/hosts /var/lib/vclab-netboot/tftp\n"
    machine.shell(re.sub(r"^apt-get.*\n", "", re.sub(r"^.* build\n", built, script, flags=re.M)))
    eventually(lambda: "DHCP" in machine.shell("runuser -u vclab -- cat /var/log/vclab-netboot/log", check=False), 30)
    assert machine.shell("systemctl is-active vclab-netboot") == "active\n"
    machine.shell("runuser -u vclab -- sh -c 'umask 022; echo 1 > /var/lib/vclab-netboot/stale'")
    eventually(lambda: machine.shell("cat /var/log/vclab-netboot/log").count("started, version") == 2, 20)
    machine.shell(shut_in_as_the_worker(PROGRAMS))
    asked = machine.shell(f"runuser -u vclab -- .venv/bin/python - <<'END'\n{WHO_HAS}\nEND")
    assert asked.strip() == machine.shell("ip netns exec node cat /sys/class/net/far/address").strip()


@pytest.mark.long
@pytest.mark.timeout(1200)
@NEEDS_ROOT
@NEEDS_UV
@NEEDS_DEBIANS_PYTHON
def test_the_page_in_a_new_debian(machine: Root, vcenter: VcsimProcess) -> None:
    (programs,) = of("1.")
    offline = re.findall(r"^(?:cd|/opt/uv/bin/uv|ln) .*$", programs.script, re.M)
    machine.shell("export UV_OFFLINE=1\n" + "\n".join(offline))
    follow(machine, "2.")
    follow(machine, "3.")
    follow(machine, "4.")
    follow(machine, "5.")
    follow(machine, "6.")
    follow(machine, "7.")
    follow(machine, "8.")
    assert of("9.")
    missing = {"images", "computers", "endpoints"}
    await_only(machine, missing)

    build, login = of("10.")
    machine.shell(build.script)
    give(machine, "olga")
    log_in(machine, login, (machine.path / "root/olga-password").read_text().strip())
    (machine.path / "home/olga/vcenter-password").write_text(vcenter.password)
    (machine.path / "home/olga/alice-password").write_text(ALICE)
    make_disk(machine.path / "home/olga/debian-12.vmdk")
    follow(machine, "11.", **{"vcenter.example.org/": "vcenter.example.org:8443/", "12:AB:…": vcenter.fingerprint})

    give(machine, "alice")
    log_in(machine, Block("", "# alice\n" + login.script.partition("\n")[2], ""), ALICE)
    follow(machine, "12.")
    reservation = json.loads(machine.shell("vclab list --json", "alice"))[0]["id"]
    eventually(lambda: vcenter.control("GET", "/state")["machines"], PATIENCE)

    for account, file in UNREADABLE:
        machine.shell(f"test -e {file} && runuser -u {account} -- test ! -r {file}")
    assert "as emergency" in machine.shell("vclab emergency")
    machine.shell("vclab secrets rotate && test $(stat -c %U /var/lib/vclab/keys/api.key) = vclab-api")

    add_netboot(machine)
    follow(machine, "Backups")
    machine.shell(LOSS)
    follow(machine, "2.")
    follow(machine, "Restoring")
    follow(machine, "7.")
    await_only(machine, set())
    listed = json.loads(machine.shell("vclab list --json", "alice"))
    assert [each["id"] for each in listed] == [reservation]

    (update,) = of("Updates")
    machine.shell(re.findall(r"^vclab doctor --replay\n.*?^    vclab store migrate$", update.script, re.M | re.S)[0])


def test_every_section_of_the_page_is_known() -> None:
    """Each block is of a section that is followed here, as far as it needs no network beyond the machine."""
    text = Path(__file__).read_text()
    starts = tuple(re.findall(r'(?:follow\(machine, |of\()"([^"]+)"', text))
    assert [block.section for block in blocks() if not block.section.startswith(starts)] == []
