"""What post-load sets on a freshly loaded Linux computer, each thing idempotent and read back."""

import re
from collections.abc import Iterable

from vclab.guests.linux_accounts import GROUP
from vclab.guests.linux_firewall import Network
from vclab.guests.ssh import Shell
from vclab.model.errors import StepFailed

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

_TOOLS = """missing=
for tool in nft ss ip sshd useradd groupadd chpasswd getent flock setpriv timeout hostname; do
    command -v $tool > /dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || refuse "the image lacks$missing"
"""

# root comes in from the management node only and by key only (VCL: ext_sshd, no root login); a password opens the
# accounts that we make and no other that the image may hold.
_SSHD_DROP_IN = """\
# Written by vclab at each load.
UseDNS no
PermitRootLogin no
PasswordAuthentication no
ChallengeResponseAuthentication no
Match Address {management}
    PermitRootLogin prohibit-password
Match Group {group}
    PasswordAuthentication yes
"""

# 192.0.2.1 and 2001:db8::1 are documentation addresses: any that is not the management node's.
_SSHD = """main=/etc/ssh/sshd_config file=/etc/ssh/sshd_config.d/00-vclab.conf
mkdir -p /etc/ssh/sshd_config.d /run/sshd
grep -qiE '^[[:space:]]*include[[:space:]].*/etc/ssh/sshd_config\\.d/' $main || {
    { echo 'Include /etc/ssh/sshd_config.d/*.conf'; cat $main; } > $main.vclab
    mv -f $main.vclab $main
}
printf '%s\\n' "$input" > $file.new
mv -f $file.new $file
trouble=$(sshd -t 2>&1) || {
    rm -f $file
    refuse "sshd does not take its configuration: $trouble"
}
root_from() { sshd -T -C user=root,host=x,addr="$1" | sed -n 's/^permitrootlogin //p'; }
[ "$(root_from 192.0.2.1)$(root_from 2001:db8::1)" = nono ] || refuse 'sshd would let root in from anywhere'
case $(root_from "$1") in
    prohibit-password | without-password) ;;
    *) refuse "sshd would not let root in from the management node $1" ;;
esac
# sshd closes its port for a moment and opens it anew: whoever comes next, we too, must not find it shut. Under
# systemd's socket activation it stays the same.
# Who logs in is recorded where only root can write: by PAM, for the firewall notes only the users' own addresses. Where
# sshd does not ask PAM, nobody but root comes in from the management node.
sees() { sshd -T -C user=root,host=x,addr=192.0.2.1 | grep -qx 'usepam yes' && [ -f /etc/pam.d/sshd ]; }
recorder=$(find /lib /lib64 /usr/lib /usr/lib64 -name pam_exec.so 2> /dev/null | head -n 1)
if sees && [ -n "$recorder" ]; then
    mkdir -p /etc/vclab
    cat > /etc/vclab/login.new <<'LOGIN'
#!/bin/sh
umask 077
echo "$(date +%s) $PAM_USER $PAM_RHOST" >> /run/vclab-logins
LOGIN
    chmod 755 /etc/vclab/login.new
    mv -f /etc/vclab/login.new /etc/vclab/login
    grep -q '/etc/vclab/login$' /etc/pam.d/sshd || {
        cp -a /etc/pam.d/sshd /etc/pam.d/sshd.vclab
        echo 'session [success=1 default=ignore] pam_succeed_if.so quiet uid = 0' >> /etc/pam.d/sshd.vclab
        echo 'session required pam_exec.so quiet type=open_session /etc/vclab/login' >> /etc/pam.d/sshd.vclab
        mv -f /etc/pam.d/sshd.vclab /etc/pam.d/sshd
    }
else
    printf 'Match Address %s\n    AllowUsers root\n' "$2" >> $file
    sshd -t
fi
listening() { ss -Hltne 'sport = :22' | grep -o 'ino:[0-9]*' | sort; }
renewed() { now=$(listening) && [ "$now" != "$before" ] && [ ${#now} -ge ${#before} ]; }
before=$(listening)
if [ -d /run/systemd/system ]; then
    systemctl reload ssh 2> /dev/null || systemctl reload sshd
else
    kill -HUP "$(cat /run/sshd.pid)"
fi
n=0
until renewed || [ $n -eq 60 ]; do
    n=$((n + 1))
    sleep 0.05
done
[ -n "$(listening)" ] || refuse 'sshd does not listen any more since it was told to read its configuration again'
"""

_ROOT_PASSWORD = """printf 'root:%s\\n' "${input%%"$nl"*}" | chpasswd
case $(getent shadow root | cut -d: -f2) in '$'*) ;; *) refuse 'root has no password after it was set' ;; esac
"""

# A private key in an image is the same on every computer made from it (VCL clears root's too).
_PRIVATE_KEYS = """[ -d /root/.ssh ] || exit 0
found() { find /root/.ssh -type f -exec grep -l -e 'PRIVATE KEY-----' {} + || true; }
find /root/.ssh -type f -exec grep -q -e 'PRIVATE KEY-----' {} \\; -delete
[ -z "$(found)" ] || refuse 'private keys of root are still there'
"""

_HOSTNAME = """[ "$(cat /etc/hostname 2> /dev/null)" = "$1" ] || echo "$1" > /etc/hostname
hostname "$1"
{ grep -v '^127\\.0\\.1\\.1[[:space:]]' /etc/hosts || true; echo "127.0.1.1 $1"; } > /etc/hosts.vclab
cat /etc/hosts.vclab > /etc/hosts
rm -f /etc/hosts.vclab
[ "$(cat /etc/hostname) $(uname -n)" = "$1 $1" ] || refuse 'the hostname is not as it was set'
"""

_OWN_ADDRESS = 'set -- $SSH_CONNECTION; echo "$1"'


# A second later, so that this session ends before the computer does.
REBOOT = "(sleep 1; exec shutdown -r now) > /dev/null 2>&1 < /dev/null &"


async def check_tools(shell: Shell) -> None:
    """Raise ``StepFailed``, naming what the image lacks, before anything is changed."""
    await shell.look("see whether all needed programs are there", _TOOLS)


async def own_address(shell: Shell) -> str:
    """The address from which the computer sees us come: the management node's, as far as it can tell."""
    return (await shell.look("tell where we come from", _OWN_ADDRESS)).strip()


async def restrict_sshd(shell: Shell, management: Iterable[Network], ours: str) -> None:
    """Let root in from the management networks only, with a key only; ``ours`` is our own address, to prove it."""
    known = ",".join(map(str, management))
    text = _SSHD_DROP_IN.format(management=known, group=GROUP)
    await shell.act("restrict sshd", _SSHD, ours, known, text=text.rstrip("\n"))


async def set_root_password(shell: Shell, password: str) -> None:
    """For the console: over SSH it opens nothing."""
    await shell.act("set root's password", _ROOT_PASSWORD, secret=password)


async def remove_private_keys(shell: Shell) -> None:
    """Remove private keys that the image holds for root."""
    await shell.act("remove root's private keys", _PRIVATE_KEYS)


async def set_hostname(shell: Shell, name: str) -> None:
    """Now and for the next boots. Raises ``StepFailed`` for what can't be a hostname."""
    if not HOSTNAME.fullmatch(name):
        raise StepFailed(f"{name!r} can't be a hostname")
    await shell.act("set the hostname", _HOSTNAME, name)
