"""Alembic's environment. From 0.1.0 on a release adds a file to ``versions`` and moves ``HEAD``; a released file never
changes. Until 0.1.0 is cut, changes go into ``0001_initial.py``."""

HEAD = "0001"
"""The schema version of this program (a test compares it with the files)."""

LOCK = 0x76636C6162  # "vclab": PostgreSQL's advisory lock while migrating
