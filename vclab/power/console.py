"""Lines of what comes on a serial console: printable, bounded, without what moves a cursor or paints."""

import codecs
import re
from collections import deque

from vclab.model import reported

MOST = 500
"""Lines that are kept, the last ones."""
LONGEST = 240
"""Characters of a line."""
_MOVES = re.compile(r"\x1b\[[0-9;]*[ABEFHdf]|\x1b[DEM]|[\r\n\v\f]")
"""What begins another line, or another place of the screen (ECMA-48)."""
_OTHER = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|\x08")
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,400}\x1b?|[ -/]*)?\Z")
"""A sequence whose end has not come yet."""


class Lines:
    """Bytes become lines. The same line again and again is kept once, for screens are painted anew."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._lines: deque[str] = deque(maxlen=MOST)
        self.count = 0  #: of all lines until now

    @property
    def whole(self) -> tuple[str, ...]:
        """The last lines that are whole."""
        return tuple(self._lines)

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines, with the one that has only begun."""
        begun = reported.line(_OTHER.sub("", self._begun), LONGEST)
        return (*self._lines, begun) if begun else tuple(self._lines)

    def feed(self, held: bytes) -> list[str]:
        """The lines that have become whole."""
        text = self._begun + self._decoder.decode(held)
        unfinished = _BEGUN.search(text)
        tail = unfinished[0] if unfinished else ""
        *whole, begun = _MOVES.split(text.removesuffix(tail))
        self._begun = (begun + tail)[-4 * LONGEST :]
        return [line for line in map(self._kept, whole) if line]

    def _kept(self, text: str) -> str:
        line = reported.line(_OTHER.sub("", text), LONGEST)
        if not line or (self._lines and self._lines[-1] == line):
            return ""
        self._lines.append(line)
        self.count += 1
        return line
