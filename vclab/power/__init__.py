"""Power: switching computers by their BMC, or by wake-on-LAN. One file a driver; ``control.py`` is what is called.

``Power`` (``control.py``) validates, waits for its turn at the BMC, observes, acts and confirms. A driver only knows
how its BMC is asked and told (``base.Driver``). Those that need a library run in a child process that is killed at its
limit (``process.py``, ``child.py``): these libraries hang when a BMC dies, and keep global state.
"""
