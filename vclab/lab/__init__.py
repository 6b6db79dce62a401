"""The embedded lab: a data centre on one Linux machine, for demonstrations and tests. The product imports none of it.

``layout`` names everything. ``lab`` is up and down, ``supervisor`` the one process behind a running lab, with its
``keeper`` (keeps the servers of ``parts`` running), ``room`` (does to ``machines`` what vcsim says was done to virtual
ones) and ``forwards``. ``network``, ``rootfs`` and ``disks`` are what machines need; ``flatten`` is the program with
which vcsim makes one disk of a child and its parents. Machines and nodes are ``process_tree``s. ``metal`` is the bare
metal: ``bmcs`` (with ``redfish`` and ``wakeable``), ``nodes``, whose ``firmware`` boots by ``station`` (DHCP and TFTP),
``initramfs`` or ``loops``, their ``serial_port`` and ``metal_image``. ``stock``, ``seed`` and ``records`` fill a new
lab; ``tools`` finds or builds programs; ``state``, ``processes`` and ``control`` let others look at it and meddle.
"""
