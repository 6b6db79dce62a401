"""Alembic's environment. A release adds a file to ``versions`` and moves ``HEAD``; a released file never changes."""

HEAD = "0012"
"""The schema version of this program (a test compares it with the files)."""

LOCK = 0x76636C6162  # "vclab": PostgreSQL's advisory lock while migrating
