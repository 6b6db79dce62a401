"""Why somebody may do something, or may not."""

from vclab.contract.use_case import Question, anybody, get, read
from vclab.contract.views import View
from vclab.model.access import Permission, Role


class Explain(Question):
    """May ``user`` do ``action`` to ``thing``? An action is a permission ("connect") or the name of a use case
    ("acts.connect"). A thing is ``KIND:NAME``, a name that is only one thing's, or "lab"."""

    user: str
    action: str
    thing: str


class Explained(View):
    """The answer, and what it stands on."""

    user: str
    permission: Permission  #: of an act that needs two: the one that is missing, else the last
    thing: str  #: "reservation 3f…"
    allowed: bool
    reason: str  #: in one sentence
    because: tuple[str, ...]  #: each reason that is enough alone; empty: it is not allowed
    needs_role: tuple[Role, ...]  #: any one of these; empty: no role helps who is disabled
    needs_over: tuple[str, ...]  #: over any one of these groups, or over "everything"


explain = read(
    "access.explain",
    anybody(),
    Explain,
    Explained,
    get("/access/explain"),
    "Whether somebody may do something, by which grant, or which one it would take. Of others, only those learn it who"
    " grant or audit.",
)
