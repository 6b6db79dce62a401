"""What one run of the command line knows beside its verb."""

from dataclasses import dataclass

from vclab.cli.errors import Problem


@dataclass
class Root:
    """What the words before the verb said, the verb, and what went wrong, for messages."""

    as_user: str = ""
    context: str = ""  #: the name of the server that was asked for
    verb: str = ""
    problem: Problem | None = None  #: why it failed
