"""What is asked of a lab machine before it is given away: nobody sits at it, and nothing of an earlier tenure is left.

It exists without us and has an owner, so less is set on it than on a machine that was loaded: root's password and keys
and the host name stay as they are.
"""

from vclab.guests import linux_sanitize
from vclab.guests.ssh import Shell
from vclab.model.errors import StepFailed
from vclab.model.plans import Target

# Where people sit: seats of logind, login records of terminals that are no network session, and processes that have
# the console, a virtual or a serial terminal for their own. What only waits for somebody to log in does not count.
_WHO = """sitting() {
    if [ -d /run/systemd/seats ]; then
        loginctl list-sessions --no-legend | while read -r session _; do
            [ "$(loginctl show-session "$session" -p Class --value)" = user ] || continue
            seat=$(loginctl show-session "$session" -p Seat --value)
            [ -z "$seat" ] || echo "$(loginctl show-session "$session" -p Name --value) on $seat"
        done
    fi
    who | awk '$2 !~ /^pts\\// { print $1 " on " $2 }'
    consoles=" "
    for terminal in /dev/console /dev/tty[0-9]* /dev/ttyS[0-9]* /dev/ttyAMA[0-9]* /dev/hvc[0-9]*; do
        [ -c "$terminal" ] || continue
        minor=$((0x$(stat -L -c %T "$terminal")))
        # As proc(5) writes tty_nr: the major in bits 8 to 15, the minor in the lowest byte and from bit 20 on.
        consoles="$consoles$(($((0x$(stat -L -c %t "$terminal"))) << 8 | minor & 0xff | minor >> 8 << 20)) "
    done
    for process in /proc/[0-9]*; do
        terminal=$(sed 's/^.*) //' $process/stat 2> /dev/null | cut -d ' ' -f 5) || continue
        [ "${terminal:-0}" != 0 ] || continue
        case $consoles in *" $terminal "*) ;; *) continue ;; esac
        name=$(cat $process/comm 2> /dev/null) || continue
        case $name in
            login | *getty | sulogin | init | X | Xorg | Xwayland | gdm* | sddm* | lightdm* | plymouth*) continue ;;
        esac
        owner=$(stat -c %U $process 2> /dev/null) || continue
        echo "$owner on the console"
    done
}
sitting | sort -u
"""


async def why_not_free(shell: Shell) -> str:
    """Who is logged in at the machine itself; empty when nobody is. Raises when that can't be told: never "nobody"."""
    found = await who_sits(shell)
    return f"somebody is logged in at it: {found}" if found else ""


async def who_sits(shell: Shell) -> str:
    """Who is logged in at the machine itself, and where; empty when nobody is."""
    return _shown((await shell.look("tell who sits at it", _WHO)).splitlines())


async def clean(shell: Shell, target: Target) -> None:
    """Remove what an earlier tenure left: an operator gave the machine back who had mended what kept it from it.

    Raises ``StepFailed``, naming what stays, or that the accounts are another installation's.
    """
    for account in await linux_sanitize.accounts(shell):
        if not account.mark.startswith(f"{target.installation}/"):
            raise StepFailed(f"{target.computer} is not clean: {account.login} of {account.mark} is still there")
        await linux_sanitize.remove(shell, target, account)
        await linux_sanitize.forget(shell, account.mark)


def _shown(lines: list[str]) -> str:
    return ", ".join("".join(c if c.isprintable() else "?" for c in line)[:80] for line in lines[:5])
