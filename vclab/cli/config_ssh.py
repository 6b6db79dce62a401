"""``vclab config-ssh``: plain ``ssh``, ``scp``, ``rsync`` and editors reach a reservation by name."""

import glob
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from vclab.cli.client import client_of, server_of
from vclab.cli.managed_block import put_block, remove_block
from vclab.cli.output import note
from vclab.cli.running import run
from vclab.cli.ssh import known_hosts_folder
from vclab.client.contexts import Chosen, config_folder
from vclab.client.private_files import locked, write_whole
from vclab.contract.people import me
from vclab.contract.use_case import Nothing
from vclab.model.errors import Failed, Refused
from vclab.model.logins import is_login
from vclab.model.typed import quoted

HEADER = """\
# Written by `vclab config-ssh`, each time anew. `ssh vclab-1f3k9` reaches that reservation, and `ssh debian-12.vclab`
# yours of that image: vclab opens the computer to your address, and leaves its host key, the only one that is accepted.
"""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def config_ssh(
    context: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Take away what this wrote.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="OpenSSH's configuration, else ~/.ssh/config.", show_default=False),
    ] = None,
) -> None:
    """Let plain ssh, scp, rsync and editors reach your reservations by name.

    It puts one Include at the beginning of OpenSSH's configuration; all else there stays as it is.
    Each connection opens the computer to your address, and accepts only the host key that vclab knows.

    \b
    Examples:
      vclab config-ssh
      ssh vclab-1f3k9
      scp report.pdf debian-12.vclab:
      vclab config-ssh --remove
    """
    file = file or Path.home() / ".ssh" / "config"
    own = config_folder() / "ssh_config"
    if remove:
        with locked(own.parent):
            found = remove_block(file)
            own.unlink(missing_ok=True)
        note(f"vclab's lines are gone from {file}." if found else f"There are no lines of vclab in {file}.")
        return
    login = run(client_of(context).call(me, Nothing())).login
    text = stanza(login, _program(), server_of(context))
    with locked(own.parent):
        write_whole(own, text.encode())
        changed = put_block(file, f"Include {_quoted(glob.escape(str(own)))}\n")
    done = f"`ssh vclab-R` and `ssh IMAGE.vclab` reach the reservations of {login}"
    note(f"{done} now." if changed else f"{done}, as before.")


def stanza(login: str, program: str, chosen: Chosen | None) -> str:
    """What OpenSSH is told of the names of reservations. It runs ``program``, with the context that is in use now.

    Raises ``Failed`` for a login that is none: a line of its own would be a command that every ssh runs. ``Refused``
    for what can't be written there.
    """
    if not is_login(login):
        raise Failed(f"the server says that you are {quoted(login)}", "that is no login name: trust nothing it says")
    words = [program, *(("--context", chosen.name) if chosen and chosen.name else ()), "ssh-proxy"]
    lines = {
        "User": login,
        # OpenSSH since 9.6 refuses names with what a shell understands; older ones are why %n is quoted.
        "ProxyCommand": f"{shlex.join(words).replace('%', '%%')} '%n'",
        "ProxyUseFdpass": "yes",
        "UserKnownHostsFile": f"{_quoted(str(known_hosts_folder()).replace('%', '%%') + '/%n')}",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "CheckHostIP": "no",
        "CanonicalizeHostname": "no",
    }
    if chosen and chosen.context.identity_file:
        lines["IdentityFile"] = _quoted(chosen.context.identity_file.replace("%", "%%"))
        lines["IdentitiesOnly"] = "yes"
    if wrong := [value for value in lines.values() if _CONTROL.search(value)]:
        raise Refused(f"OpenSSH's configuration can't have {wrong[0]!r}")
    return "".join((HEADER, "Host vclab-* *.vclab\n", *(f"    {name} {value}\n" for name, value in lines.items())))


def _program() -> str:
    """The command that runs now, by its whole path: an editor may have another PATH. Raises ``Refused``."""
    beside = Path(sys.executable).with_name("vclab")
    found = str(beside) if beside.is_file() else shutil.which("vclab")
    if not found:
        raise Refused("the command vclab is not on the PATH")
    return found


def _quoted(path: str) -> str:
    """A path as OpenSSH's configuration reads it. Raises ``Refused`` for one that can't be written there."""
    if '"' in path or _CONTROL.search(path):
        raise Refused(f"OpenSSH's configuration can't name {path!r}")
    return f'"{path}"'
