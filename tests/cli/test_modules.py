"""Command line and use cases know no provisioning module: what they must know of one is in its ``Kind``."""

import ast
from pathlib import Path

import pytest

from vclab import cli, service
from vclab.provisioning import registry

FILES = sorted(file for each in (cli, service) for file in Path(each.__path__[0]).glob("*.py"))
NAMES = {kind.name for kind in registry.KINDS} - {"fake"}  # which is also the name of a guest
GENERAL = {f"vclab.provisioning{name}" for name in ("", ".data", ".enquiry", ".kind")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}.{file.stem}")
def test_no_module_is_named(file: Path) -> None:
    """But in examples, which are parts of longer texts."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    assert not NAMES & {node.value for node in nodes if isinstance(node, ast.Constant)}
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name.startswith("vclab.provisioning")} <= GENERAL
