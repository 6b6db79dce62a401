#!/usr/bin/python3
"""Stands for systemd where there is none: does what a unit says of accounts, rights and folders to its program.

Put as /usr/bin/systemctl into the root of a test. Starts and stops services by the files in /etc/systemd/system; of
PostgreSQL by Debian's own program. Needs nothing but Python and util-linux. Sockets, filters of system
calls and users of their own (PrivateUsers, which a chroot can't give) are not looked at.
"""

import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

UNITS, PIDS, LOGS = Path("/etc/systemd/system"), Path("/run/units"), Path("/var/log/units")
INSIDE = "--inside"


def lines_of(unit: str) -> dict[str, list[str]]:
    """What the section Service says."""
    found: dict[str, list[str]] = {}
    section = ""
    text = (UNITS / f"{unit}.service").read_text().replace("\\\n", " ")
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#") and section == "[Service]":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def words(lines: dict[str, list[str]], name: str) -> list[str]:
    return [word for value in lines.get(name, []) for word in value.split()]


def start(unit: str) -> None:
    """Start it, and leave it to itself."""
    stop(unit)
    for folder in (PIDS, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    log = (LOGS / unit).open("ab")
    inside = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, INSIDE, unit]
    process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (PIDS / unit).write_text(str(process.pid))


def stop(unit: str) -> None:
    """As systemd does: all of its processes get the signal."""
    file = PIDS / unit
    if not file.exists():
        return
    group = int(file.read_text())
    file.unlink()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        for _ in range(300):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def supervise(unit: str) -> None:
    """Within its mounts: run it, and run it again when it ends."""
    lines = lines_of(unit)
    account = pwd.getpwnam(lines["User"][0])
    given = shut_in(lines, account)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    command = [*identity(lines, account), *shlex.split(lines["ExecStart"][0])]
    os.umask(int(lines["UMask"][0], 8))
    while not stopping:
        subprocess.run(command, env=given, cwd="/", check=False)
        time.sleep(float(lines["RestartSec"][0]) if not stopping else 0)


def shut_in(lines: dict[str, list[str]], account: pwd.struct_passwd) -> dict[str, str]:
    """Its folders, and what of the machine it can write. Returns its environment."""
    assert lines["ProtectSystem"] == ["strict"] and lines["ProtectHome"] == ["yes"]
    writable = [word.removeprefix("-") for word in words(lines, "ReadWritePaths")] + own_folders(lines, account)
    there = [path for path in writable if Path(path).exists()]
    mount("--bind", "/", "/")
    for path in there:
        mount("--bind", path, path)
    mount("-o", "remount,bind,ro", "/")
    for path in there:
        mount("-o", "remount,bind,rw", path)
    for path in ("/tmp", "/var/tmp"):  # PrivateTmp
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", path)
    for path in ("/root", "/home", *(word.removeprefix("-") for word in words(lines, "InaccessiblePaths"))):
        if Path(path).exists():
            mount("-t", "tmpfs", "-o", "mode=0,ro", "tmpfs", path)
    return environment(lines, account)


def own_folders(lines: dict[str, list[str]], account: pwd.struct_passwd) -> list[str]:
    """Those that systemd makes for it, with their modes."""
    folders = []
    for kind, above in (("StateDirectory", "/var/lib"), ("LogsDirectory", "/var/log"), ("RuntimeDirectory", "/run")):
        for folder in (Path(above, name) for name in words(lines, kind)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(int(lines.get(f"{kind}Mode", ["0755"])[0], 8))
            if folder.stat().st_uid != account.pw_uid:
                shutil.chown(folder, account.pw_uid, account.pw_gid)
            folders.append(str(folder))
    return folders


def environment(lines: dict[str, list[str]], account: pwd.struct_passwd) -> dict[str, str]:
    """What it is given: nothing of ours."""
    own = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    own |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
    given = [line for value in lines.get("Environment", []) for line in shlex.split(value)]
    for file in (Path(value.removeprefix("-")) for value in lines.get("EnvironmentFile", [])):
        if file.exists():
            given += [word for line in file.read_text().splitlines() for word in shlex.split(line, comments=True)]
    return own | dict(each.split("=", 1) for each in given)


def mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True)


def identity(lines: dict[str, list[str]], account: pwd.struct_passwd) -> list[str]:
    """Becomes the account, with the capabilities that the unit leaves it, and without core files."""
    bounding = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in words(lines, "CapabilityBoundingSet"))
    ambient = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in words(lines, "AmbientCapabilities"))
    assert lines["NoNewPrivileges"] == ["yes"]
    who = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--no-new-privs"]
    who += [f"--bounding-set=-all{',' * bool(bounding)}{bounding}"]
    who += [f"--inh-caps=-all{',' * bool(ambient)}{ambient}", f"--ambient-caps=-all{',' * bool(ambient)}{ambient}"]
    return ["prlimit", f"--core={lines['LimitCORE'][0]}", "--", *who, "--"]


def main() -> None:
    """``systemctl VERB [--now] UNIT…``."""
    verb, *units = sys.argv[1:]
    if verb == INSIDE:
        supervise(units[0])
        return
    for unit in (unit.removesuffix(".service") for unit in units if unit != "--now"):
        if unit == "postgresql":
            subprocess.run(["pg_ctlcluster", "15", "main", verb], check=True)
        elif not unit.endswith(".socket"):
            if verb in ("stop", "restart"):
                stop(unit)
            if verb in ("start", "restart", "enable"):
                start(unit)


if __name__ == "__main__":
    main()
