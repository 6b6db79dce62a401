"""What decides whether a computer can be given to the next user as it is: who was logged in, and what it says it is."""

from vclab.guests import linux_image
from vclab.guests.linux_firewall import open_to, recent
from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.plans import Access, Facts, NodeStatus, Status, Target

REMEMBERED = 3600.0
"""Seconds for which the firewall remembers an address that used a connection."""

# The sets of those who are let in are emptied, not the table replaced: that would forget who was connected. Whoever
# logs in has a connection, so what else is read here (processes, the login records that the image keeps) is a second
# look only.
_RECORDS = """login=$1 uid=$2
nft flush set inet vclab users4
nft flush set inet vclab users6
cat /proc/sys/kernel/random/boot_id
echo --
nft -j list table inet vclab
echo --
cat /proc/[0-9]*/status 2> /dev/null | awk -v uid="$uid" '
    $1 == "Name:" { name = $2 }
    $1 == "Uid:" && ($2 == uid || $3 == uid || $4 == uid || $5 == uid) { print "a process of theirs runs: " name }'
[ ! -e /run/vclab-logins ] || awk -v login="$login" '$2 == login { print "a login from " $3 }' /run/vclab-logins
! command -v last > /dev/null || last -w "$login" 2> /dev/null | grep "^$login " | sed 's/^/the login record /' || true
"""


async def why_tainted(shell: Shell, facts: Facts, access: Access, opened_seconds: float) -> str:
    """Shut the users out, then read the records. Raises ``StepFailed`` when they can't be read."""
    answer = await shell.act("read who was logged in", _RECORDS, access.login, str(access.uid))
    boot_id, table, found = (part.strip() for part in (*answer.split("--\n"), "", "")[:3])
    if opened_seconds >= REMEMBERED:
        return f"it was open for longer than the {REMEMBERED:.0f} s for which connections are remembered"
    if not facts.boot_id or boot_id != facts.boot_id:
        return "it was restarted since, so its records may not be complete"
    if open_to(table) != ():
        return "its firewall does not show our rules"
    peers = sorted(recent(table, REMEMBERED))
    if peers:
        return f"there was a connection from {', '.join(peers)}"
    return reported.line(found.splitlines()[0], 200) if found else ""


async def node_status(shell: Shell, target: Target) -> NodeStatus:
    """What ``currentimage.txt`` says. Raises ``Unreachable``."""
    tags = await linux_image.read(shell)
    image = f"{tags.get('image_name', '')}/{tags.get('imagerevision', '')}"

    def says(status: Status, why: str = "") -> NodeStatus:
        return NodeStatus(status, "on", True, image, why)

    if (tags.get("vclab_installation"), tags.get("computer_hostname")) != (target.installation, target.computer):
        return says(Status.RELOAD, "it does not say that it is this computer")
    if image != f"{target.image}/{target.revision}":
        return says(Status.RELOAD, f"it says it holds {image}")
    if linux_image.TAINTED in tags:
        return says(Status.RELOAD, f"tainted: {tags[linux_image.TAINTED]}")
    generation = reported.number(tags.get("vclab_generation"))
    if generation is None or generation > target.generation:
        return says(Status.RELOAD, f"it says it is of generation {'unknown' if generation is None else generation}")
    if linux_image.POST_LOAD not in tags:
        return says(Status.POST_LOAD, "it was never prepared")
    return says(Status.READY)
