"""The user's account on a Linux computer: login, keys, one-time password, sudo. An image's own login is never touched.

Which accounts are ours stands in ``/etc/vclab/accounts`` (lines "login uid mark"), written before the account is made:
so an attempt that was cut off finds its own work, and what a captured image brought along is not taken for ours.
"""

import re
from collections.abc import Iterable

import asyncssh

from vclab.guests.ssh import Shell
from vclab.model.errors import StepFailed
from vclab.model.plans import Access, Target

GROUP = "vclab"
"""Primary group of all accounts that vclab makes (VCL: ``vcl``); sshd lets only its members in with a password."""

LOGIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
LOWEST_UID, HIGHEST_UID = 1000, 4_000_000_000

_MAKE = """umask 077
login=$1 uid=$2 mark=$3 home=/home/$1
mkdir -p /etc/vclab
touch /etc/vclab/accounts
[ -s /etc/vclab/accounts ] && [ -e /etc/vclab/since ] || touch /etc/vclab/since
if getent passwd "$login" > /dev/null; then
    grep -qxF "$login $uid $mark" /etc/vclab/accounts ||
        refuse "the login $login exists in this image, and a login of the image is never overwritten"
else
    other=$(getent passwd "$uid" | cut -d: -f1)
    [ -z "$other" ] || refuse "the user id $uid of $login belongs to $other in this image"
    if [ -e "$home" ] || [ -L "$home" ]; then
        [ "$(stat -c %u "$home")" = "$uid" ] || refuse "$home exists in this image and belongs to another"
    fi
    getent group vclab > /dev/null || groupadd --system vclab
    grep -qxF "$login $uid $mark" /etc/vclab/accounts || echo "$login $uid $mark" >> /etc/vclab/accounts
    shell=/bin/bash
    [ -x $shell ] || shell=/bin/sh
    # "*" is no password; "!" would be a locked account, which sshd without PAM refuses for keys too.
    useradd -M -d "$home" -u "$uid" -g vclab -s $shell -c "vclab $login" -p '*' "$login"
fi
if [ ! -e "$home" ]; then
    rm -rf --one-file-system "$home.vclab"
    if [ -d /etc/skel ]; then cp -a /etc/skel "$home.vclab"; else mkdir "$home.vclab"; fi
    chown -R "$uid:vclab" "$home.vclab"
    chmod 700 "$home.vclab"
    mv -T "$home.vclab" "$home"
    if command -v restorecon > /dev/null; then restorecon -R "$home" || true; fi
fi
[ "$(id -u "$login") $(id -gn "$login")" = "$uid vclab" ] || refuse "$login has another user id or group than was set"
"""

# In the user's home all is done as the user: a link there must not lead root astray, nor a pipe hold it up.
_KEYS = """login=$1 uid=$2 home=/home/$1
as_user() { timeout 10 setpriv --reuid "$uid" --regid "$(id -g "$login")" --clear-groups "$@"; }
cd /
printf '%s\\n' "$input" | as_user sh -c '
    umask 077 && mkdir -p "$1/.ssh" && chmod 700 "$1/.ssh" && cat > "$1/.ssh/authorized_keys.new" &&
    mv -fT "$1/.ssh/authorized_keys.new" "$1/.ssh/authorized_keys"' sh "$home"
[ "$(as_user cat "$home/.ssh/authorized_keys")" = "$input" ] || refuse "$login's keys are not as they were set"
"""

# A password that is there already is left: it is ours from an earlier attempt, or the user has changed it.
_PASSWORD = """login=$1
stored() { getent shadow "$login" | cut -d: -f2; }
case $(stored) in
    '$'*) ;;
    *) printf '%s:%s\\n' "$login" "${input%%"$nl"*}" | chpasswd ;;
esac
case $(stored) in '$'*) ;; *) refuse "$login has no password after it was set" ;; esac
"""

_SUDO = """umask 077
login=$1 uid=$2 file=/etc/sudoers.d/vclab-$1
if [ "$3" = no ]; then rm -f "$file"; exit 0; fi
command -v visudo > /dev/null || refuse "sudo is not installed in this image, and $login is to have root access"
mkdir -p /etc/sudoers.d
# sudo reads no file with a dot in its name, so the unchecked one is never in force.
printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\\n' "$login" > /etc/sudoers.d/vclab.new
chmod 440 /etc/sudoers.d/vclab.new
visudo -c -q -f /etc/sudoers.d/vclab.new > /dev/null
mv -f /etc/sudoers.d/vclab.new "$file"
cd /
setpriv --reuid "$uid" --regid "$(id -g "$login")" --clear-groups sudo -n true ||
    refuse "sudo does not let $login become root"
"""


def public_key_lines(keys: Iterable[str]) -> list[str]:
    """The keys as lines of authorized_keys. Raises ``StepFailed`` for what is not just a public key.

    Options before a key ("command=…") are no part of a key and are refused.
    """
    lines = []
    for number, text in enumerate(keys, 1):
        try:
            line = asyncssh.import_public_key(text.strip()).export_public_key("openssh").decode().strip()
        except (asyncssh.KeyImportError, ValueError):
            raise StepFailed(f"the user's public key number {number} is not an OpenSSH public key") from None
        if not text.strip().isprintable() or not line.isprintable():
            raise StepFailed(f"the user's public key number {number} is not one line of printable text")
        lines.append(line)
    return lines


def check(access: Access) -> None:
    """Raise ``StepFailed`` for a login name or user id that must not be made, before anything is touched."""
    if not LOGIN.fullmatch(access.login):
        raise StepFailed(f"{access.login!r} can't be a login name")
    if not LOWEST_UID <= access.uid <= HIGHEST_UID:
        raise StepFailed(f"the user id {access.uid} of {access.login} must be from {LOWEST_UID} to {HIGHEST_UID}")


async def make(shell: Shell, target: Target, access: Access, password: str) -> None:
    """Make the account, or complete what an earlier attempt began. ``password`` may be empty: none is set.

    Raises ``StepFailed``: the login or the user id exists in the image; sudo is missing.
    """
    check(access)
    keys = public_key_lines(access.public_keys)
    login, uid = access.login, str(access.uid)
    mark = f"{target.installation}/{target.reservation}/{target.member}/{target.generation}"
    await shell.act(f"make the account {login}", _MAKE, login, uid, mark)
    await shell.act(f"set the keys of {login}", _KEYS, login, uid, text="\n".join(keys))
    if password:
        await shell.act(f"set the one-time password of {login}", _PASSWORD, login, secret=password)
    await shell.act(f"set the root access of {login}", _SUDO, login, uid, "yes" if access.sudo else "no")
