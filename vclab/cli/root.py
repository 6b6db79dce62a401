"""What stands before the verb."""

from dataclasses import dataclass


@dataclass
class Root:
    """What the words before the verb said, and the verb, for messages."""

    as_user: str = ""
    verb: str = ""
