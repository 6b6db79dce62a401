"""What each release has left behind, which every later version must take over: one folder a release.

``files.txt`` names its migrations and histories with the SHA-256 of each; ``sqlite.sql`` and ``postgresql.sql`` are a
database of it, with what a lab has done.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
FILES = "files.txt"
VERSIONS = tuple(sorted(each.name for each in FOLDER.iterdir() if (each / FILES).is_file()))
