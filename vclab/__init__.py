"""vclab: a virtual computing lab.

Nothing here knows of Temporal, ``vclab.temporal`` and ``vclab.lab`` excepted.
"""
