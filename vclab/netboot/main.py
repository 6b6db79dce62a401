"""The command ``vclab-netboot``: what an administrator of a provisioning network does once."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vclab.model.errors import VclabError
from vclab.netboot import environment
from vclab.netboot.dnsmasq import Network, Uefi, configuration
from vclab.netboot.nodes import prepare, publish

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
    for verb in (build, configure):
        verb.add_argument("--root", type=Path, default=_ROOT, help=f"where the files lie (default: {_ROOT})")
    return parser


def _build(asked: argparse.Namespace) -> None:
    prepare(asked.root)
    built = environment.environment(lambda text: print(text, file=sys.stderr, flush=True), asked.again)
    print(publish(asked.root, built))


def _configure(asked: argparse.Namespace) -> None:
    made = Network(asked.interface, asked.address, asked.root, asked.proxy, asked.router, asked.uefi, log=asked.log)
    print(configuration(made), end="")
