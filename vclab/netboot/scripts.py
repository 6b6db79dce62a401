"""What a boot loader is told: a script for iPXE and a configuration for GRUB, which do the same.

Both are for one machine and one state. There is none for ``boot``: such a machine finds no boot loader on the network,
so that its firmware goes on to the next device. A script would have to know the disk and the firmware: GRUB's ``exit``
stops some UEFIs at their menu, and not every BIOS boots from iPXE.
"""

from vclab.model.errors import Invalid
from vclab.netboot import values
from vclab.netboot.environment import INITRD, KERNEL
from vclab.netboot.values import State

IPXE, GRUB = "boot.ipxe", "grub/grub.cfg"
LOAD = "load.img"
_AGAIN = 15
"""Seconds until a machine whose boot failed asks anew: its state may have changed."""


def ipxe(mac: str, state: State, load: str) -> str:
    """For BIOS, and wherever the firmware brings iPXE along. Raises ``Invalid``."""
    return f"""#!ipxe
{_head(mac, state)}
kernel {KERNEL} initrd={INITRD} initrd={LOAD} {_words(mac, state, load)} || goto failed
initrd {INITRD} || goto failed
initrd {LOAD} || goto failed
boot ||
:failed
echo vclab: the imaging environment could not be fetched; the machine restarts
sleep {_AGAIN}
reboot
"""


def grub(mac: str, state: State, load: str) -> str:
    """For UEFI, with and without Secure Boot: GRUB takes a signed kernel only where that is on. Raises ``Invalid``."""
    return f"""{_head(mac, state)}
if linux /{KERNEL} {_words(mac, state, load)}; then
    if initrd /{INITRD} /{LOAD}; then
        boot
    fi
fi
echo "vclab: the imaging environment could not be fetched; the machine restarts"
sleep {_AGAIN}
reboot
"""


def _head(mac: str, state: State) -> str:
    if state is State.BOOT:
        raise Invalid("a machine that boots its disk is given no script")
    return f"# {state.value} for {values.mac(mac)}: written by vclab for one load, changes are lost"


def _words(mac: str, state: State, load: str) -> str:
    """The kernel's command line. Of serial ports the kernel takes one console only; the environment also uses ttyS1."""
    card = f"BOOTIF=01-{values.hyphened(mac)} vclab.state={state.value} vclab.load={values.load(load)}"
    return f"{card} console=ttyS0,115200n8 console=tty0"
