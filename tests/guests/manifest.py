"""What is on a machine's disk, one line a thing, so that two states of it can be compared.

``sudo .venv/bin/python -m tests.guests.manifest`` seals a machine that somebody has worked on, and prints what is
different afterwards: docs/images.md has that, shortened.
"""

import fnmatch
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.guests.bench import Place

# Files with mode, owner and content or target; accounts, and whether they have a password; what is begun at a boot; and
# the rules that are loaded at one.
_LOOK = r"""
cd /
find . -xdev -mindepth 1 ! -type f -printf 'file /%P\t%y %m %U:%G %l\n'
find . -xdev -type f -printf '%P\t%m %U:%G\n' | sort > /run/manifest.files
find . -xdev -type f -printf '%P\0' | sort -z | xargs -0 sha256sum -z | tr '\0' '\n' > /run/manifest.sums
sed 's/^\(.\{64\}\)  \(.*\)$/\2\t\1/' /run/manifest.sums | sort | join -t "$(printf '\t')" /run/manifest.files - |
    sed 's/^\([^\t]*\)\t\([^\t]*\)\t\(.\{64\}\)$/file \/\1\tf \2 sha256:\3/'
rm /run/manifest.files /run/manifest.sums
getent passwd | while IFS=: read -r name _ uid gid _ home shell; do
    case $(getent shadow "$name" | cut -d: -f2) in '$'*) has=password ;; *) has='no password' ;; esac
    printf 'account %s\t%s:%s %s %s %s\n' "$name" "$uid" "$gid" "$home" "$shell" "$has"
done
for link in /etc/rc[S2].d/S* /etc/systemd/system/*.wants/*; do
    [ ! -L "$link" ] || printf 'unit %s\tenabled\n' "$link"
done
for file in /etc/nftables.conf /etc/vclab/firewall.nft; do
    [ ! -f $file ] || sed -n "s|^[[:space:]]*\([^[:space:]].*\)|firewall $file: \1\tat the boot|p" $file
done
"""

MAY_DIFFER = {
    "what belongs to the users": ("/home/alice*", "/opt/lab/made*", "/srv/work*", "/var/spool/cron/*", "/tmp/*"),
    "accounts and passwords": ("/etc/passwd*", "/etc/*shadow*", "/etc/group*", "/etc/sub?id*", "/etc/security/opasswd"),
    "root's keys": ("/root/.ssh/*",),
    "directory": ("/etc/krb5.keytab", "/etc/sssd/sssd.conf", "/var/lib/sss/db/*", "/var/lib/samba/private/*"),
    "registrations": (
        *("/etc/pki/consumer/*", "/var/lib/ubuntu-advantage/private/*", "/etc/apt/auth.conf.d/90ubuntu-advantage"),
        *("/etc/puppetlabs/puppet/ssl/*", "/etc/salt/*"),
    ),
    "network": ("/etc/netplan/*", "/etc/NetworkManager/system-connections/*", "/etc/udev/rules.d/70-persistent-net*"),
    "leases": ("/var/lib/dhcp/*", "/var/lib/NetworkManager/secret_key"),
    "names": ("/etc/hostname", "/etc/hosts", "/etc/iscsi/*", "/etc/nvme/*", "/etc/machine-id"),
    "host keys and seeds": ("/etc/ssh/ssh_host_*", "/var/lib/*/random-seed"),
    "mail": ("/var/mail/*", "/var/spool/cups/*", "/var/spool/postfix/*"),
    "histories": ("/root/.*_history", "/root/.viminfo", "/home/debian/.bash_history"),
    "logs": ("/var/log/*", "/var/tmp/*", "/var/lib/systemd/coredump/*", "/var/crash/*"),
    "swap": ("/swapfile",),
    "vclab's own": (
        *("/etc/vclab*", "/root/currentimage.txt", "/etc/sudoers.d/vclab-*", "/etc/init.d/vclab-firewall"),
        *("/etc/rc?.d/*vclab-firewall", "/etc/init.d/.depend*", "/etc/ssh/sshd_config.d/*", "/etc/pam.d/sshd"),
    ),
    "the image maker's own hook": ("/opt/hook-ran",),
}
"""Where sealing may change something, by what it is for. "*" stands for anything."""

Manifest = Mapping[str, str]


def manifest(place: Place) -> Manifest:
    """What there is, by its name: "file /etc/hosts", "account root", "unit …", "firewall …"."""
    lines = place.inside("sh", "-c", _LOOK).splitlines()
    return {name: what for name, _, what in (line.partition("\t") for line in lines)}


def difference(before: Manifest, after: Manifest) -> list[str]:
    """One line for each thing that is gone ("-"), new ("+") or different ("~")."""
    gone = [f"- {name}" for name in before if name not in after]
    new = [f"+ {name}  {_short(after[name])}" for name in after if name not in before]
    changed = [
        f"~ {name}  {_short(before[name])} -> {_short(after[name])}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    return sorted((*gone, *new, *changed), key=lambda line: line[2:])


def different(before: Manifest, after: Manifest, kind: str) -> set[str]:
    """The names of one kind ("file", "account", …) that are not the same before and after. Times are not compared."""
    names = {**before, **after}
    return {n.partition(" ")[2] for n in names if n.startswith(f"{kind} ") and before.get(n) != after.get(n)}


PATTERNS = [pattern for group in MAY_DIFFER.values() for pattern in group]


def unexpected(paths: Iterable[str]) -> list[str]:
    """Those for which there is no reason in ``MAY_DIFFER``."""
    return sorted(path for path in paths if not any(fnmatch.fnmatchcase(path, pattern) for pattern in PATTERNS))


def unused(paths: Iterable[str]) -> list[str]:
    """The patterns of ``MAY_DIFFER`` that none of them needs."""
    return [pattern for pattern in PATTERNS if not fnmatch.filter(paths, pattern)]


def _short(what: str) -> str:
    head, found, digest = what.partition("sha256:")
    return f"{head}{found}{digest[:8]}"


def shortened(lines: Iterable[str], deepest: int = 100) -> list[str]:
    """Without what is in a folder that is gone as a whole, and cut at so many characters."""
    kept: list[str] = []
    folders: list[str] = []
    for line in lines:
        if any(line.startswith(f"{folder}/") for folder in folders):
            continue
        if line.startswith("- file "):
            folders.append(line)
        kept.append(line[:deepest])
    return kept


def main() -> None:
    """Seal a machine; print the difference."""
    from tests.guests.bench import Bench
    from tests.guests.test_linux_seal import make_dirty, seal
    from vclab.model.plans import Access
    from vclab.model.sealing import EndState

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.up()
            place, key = bench.machine("manifest").load(), bench.new_key("alice")
            alice = Access("alice", 3001, (key.with_suffix(".pub").read_text(),), ("203.0.113.11",), "", sudo=True)
            make_dirty(place, alice, key)
            before = manifest(place)
            seal(place, alice, EndState.ON)
            print("\n".join(shortened(difference(before, manifest(place)))))
        finally:
            bench.down()


if __name__ == "__main__":
    main()
