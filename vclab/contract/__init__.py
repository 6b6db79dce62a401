"""What can be asked of vclab, and what it answers: the one agreement of its command line, its HTTP API and its service.

Each module has the questions and views of one concept, and declares its use cases: who may ask, what, for which answer,
and by which route. Here is nothing that answers: a laptop imports it, and has neither a database nor Temporal.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vclab.contract.use_case import UseCase

    USE_CASES: "dict[str, UseCase[Any, Any]]"
    """All use cases by name. Tests walk them: each for each role, with own, other people's and unknown things."""


def __getattr__(name: str) -> Any:
    """``USE_CASES``, with all modules of the contract imported: a verb needs one or two of them only."""
    if name != "USE_CASES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return importlib.import_module(f"{__name__}.use_case").DECLARED
