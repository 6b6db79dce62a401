"""Writes ``docs/openapi.json``, the description of the API: ``python -m tests.openapi``."""

import json
from pathlib import Path

from vclab.api.app import make_app
from vclab.api.document import document
from vclab.service.backend import Backend
from vclab.settings import Settings

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"


def text() -> str:
    """The description of an application without settings; nothing is opened."""
    return json.dumps(document(make_app(Backend(Settings()))), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
