"""The command ``vclab-netboot``: what an administrator of a provisioning network does once."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vclab.model.errors import Invalid, Refused, VclabError
from vclab.netboot import environment, values
from vclab.netboot.dnsmasq import Network, Uefi, configuration
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load, Nodes, prepare, publish
from vclab.netboot.values import State

_ROOT, _LOG = Path("/var/lib/vclab-netboot"), Path("/var/log/vclab-netboot/log")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the words say; exits with 1 and one line where that fails."""
    asked = _parser().parse_args(arguments)
    try:
        asked.run(asked)
    except VclabError as error:
        sys.exit(f"vclab-netboot: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vclab-netboot", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    build = verbs.add_parser("build", help="build the imaging environment and publish it to the provisioning network")
    build.add_argument("--again", action="store_true", help="also if there is one: of today's packages")
    build.set_defaults(run=_build)
    configure = verbs.add_parser("configure", help="print dnsmasq's configuration")
    configure.add_argument("--interface", required=True, help="this machine's card in the provisioning network")
    configure.add_argument("--address", required=True, help="its address there, with the prefix: 10.78.0.1/24")
    configure.add_argument("--proxy", action="store_true", help="another DHCP server gives the addresses")
    configure.add_argument("--router", default="", help="how machines get out of the network; without it they do not")
    configure.add_argument(
        "--uefi", type=Uefi, choices=list(Uefi), help="what UEFI is given first (default: shim; ipxe with --proxy)"
    )
    configure.add_argument(
        "--log", type=Path, default=_LOG, help=f"the file that it writes its log to (default: {_LOG})"
    )
    configure.set_defaults(run=_configure)
    show = verbs.add_parser("show", help="say what machines boot when they ask the network")
    show.add_argument("mac", nargs="*", metavar="MAC", help="of these; without, of all")
    show.set_defaults(run=_show)
    change = verbs.add_parser("set", help="have a machine boot its disk, or the imaging environment to be mended in")
    change.add_argument("mac", metavar="MAC", help="of the card that it boots from: 52:54:00:78:01:11")
    change.add_argument("state", metavar="boot|rescue", help="its disk; or the imaging environment, for you alone")
    change.add_argument("--key", type=Path, metavar="FILE", help="the public SSH key that is let in as root (rescue)")
    change.set_defaults(run=_set)
    for verb in (build, configure, show, change):
        verb.add_argument("--root", type=Path, default=_ROOT, help=f"where the files lie (default: {_ROOT})")
    return parser


def _build(asked: argparse.Namespace) -> None:
    prepare(asked.root)
    built = environment.environment(lambda text: print(text, file=sys.stderr, flush=True), asked.again)
    print(publish(asked.root, built))


def _configure(asked: argparse.Namespace) -> None:
    made = Network(asked.interface, asked.address, asked.root, asked.proxy, asked.router, asked.uefi, log=asked.log)
    print(configuration(made), end="")


def _show(asked: argparse.Namespace) -> None:
    nodes = Nodes(asked.root)
    for mac in asked.mac or nodes.known():
        print(" ".join(filter(None, (mac, nodes.state(mac), nodes.load(mac)))))


def _set(asked: argparse.Namespace) -> None:
    """Raises ``Refused`` for what vclab alone sets, or nobody."""
    state, nodes, load = values.state(asked.state), Nodes(asked.root), None
    if state is State.IMAGE:
        raise Refused("a machine is set to image by its load alone", "reserve it, or use rescue to look at it")
    if (state is State.RESCUE) != (asked.key is not None):
        raise Invalid("rescue needs the --key that is let in, and boot needs none")
    nodes.state(asked.mac)  # DHCP says nothing to one that vclab has never set
    if state is State.RESCUE:
        private, public = new_host_key()
        load = Load(nodes.environment(), "rescue", load_initrd(private, [_public_key(asked.key)], "rescue"))
    nodes.set(asked.mac, state, load)
    if load:
        print(f"from its next boot on the network it shows this host key: {public}")


def _public_key(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Invalid(f"the public key {file} can't be read: {error}") from None
