"""Booting machines over the provisioning network: what comes up there, and who is told to boot what.

``environment`` builds the imaging environment from Debian's packages, with ``contents`` and ``cpio``; ``load`` makes
the second initramfs, which only the machine of one load gets. ``dnsmasq`` renders the configuration of DHCP and TFTP,
``scripts`` what a boot loader is told, ``nodes`` keeps both for each machine on disk, and ``values`` says what may be
in them. ``main`` is the command ``vclab-netboot``.
"""
