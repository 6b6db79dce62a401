"""pyvmomi's name spaces, untyped: its stubs know attributes, but neither constructors nor property paths."""

from typing import Any

from pyVmomi import vim as _vim
from pyVmomi import vmodl as _vmodl

vim: Any = _vim
vmodl: Any = _vmodl

Ref = Any
"""A managed object reference. Never read its attributes: a read of an unset one fails, and each is a round trip;
``properties.py`` reads by paths."""

Fault = Any
"""A vSphere fault: an exception whose class says what happened. Its message is not for programs."""
