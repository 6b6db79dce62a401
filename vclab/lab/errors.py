"""What goes wrong in the lab, in one line that says how to mend it."""

from vclab.model.errors import VclabError


class LabError(VclabError):
    """The lab can't do that; the text says why and what to do."""
