"""Alembic's environment. A change of the schema adds a file to ``versions`` and moves ``HEAD``; a released file never
changes (``tests/releases``)."""

HEAD = "0001"
"""The schema version of this program (a test compares it with the files)."""

LOCK = 0x76636C6162  # "vclab": PostgreSQL's advisory lock while migrating
