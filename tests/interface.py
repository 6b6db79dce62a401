"""docs/interface.md: a section for each operation of modules and guests, made from their docstrings and signatures.

.venv/bin/python -m tests.interface
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vclab.guests import base as guests
from vclab.provisioning import base as provisioning

PAGE = Path(__file__).parents[1] / "docs/interface.md"
WIDTH = 120
COMMAND = ".venv/bin/python -m tests.interface"
FIELDS = ("Begins", "Ends", "Called by", "Answers", "Raises")
"""What an operation's docstring may say after its first sentences, in this order."""
PROTOCOLS = {
    provisioning: ("ProvisioningModule", "Maker", "Power", "Inspector", "Copier", "Capturer", "Sealer"),
    guests: ("Guest",),
}

INTRODUCTION = f"""\
# The interface of modules and guests

Made from the docstrings in `vclab/provisioning/base.py` and `vclab/guests/base.py`: change these, then run
`{COMMAND}`. Every module passes the suite `tests/provisioning/test_interface.py`.
[CONTRIBUTING](../CONTRIBUTING.md#add-a-provisioning-module) says how a module is written.

Each operation has its signature, what it does, and where it matters: the state that it begins with and ends with, who
calls it, what it answers, and which errors it raises.
"""


@dataclass(frozen=True)
class Operation:
    """A method of a protocol."""

    name: str
    signature: str
    text: str  #: what it does
    fields: dict[str, str]  #: by name


@dataclass(frozen=True)
class Protocol:
    """A protocol with its operations."""

    name: str
    text: str
    operations: tuple[Operation, ...]


def protocols() -> Iterator[Protocol]:
    """All of them."""
    for module, names in PROTOCOLS.items():
        tree = ast.parse(inspect.getsource(module))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        for name in names:
            methods = (n for n in classes[name].body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
            yield Protocol(name, _docstring(classes[name]), tuple(map(_operation, methods)))


def page() -> str:
    """The page as it should be."""
    return "\n".join([INTRODUCTION, _given(), *(_section(each) for each in protocols())])


def _operation(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Operation:
    text, fields, current = [], {}, ""
    for line in _docstring(method).splitlines():
        found = re.match(rf"({'|'.join(FIELDS)}): ", line)
        if found:
            current = found[1]
            fields[current] = line[found.end() :]
        elif current and line.strip():
            fields[current] += f" {line.strip()}"
        elif not current:
            text.append(line)
    return Operation(method.name, _signature(method), "\n".join(text).strip(), fields)


def _signature(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    given = method.args
    arguments = [ast.unparse(ast.arguments([], [each], None, [], [], None, [])) for each in given.args[1:]]
    first = len(arguments) - len(given.defaults)
    for number, default in enumerate(given.defaults, start=first):
        arguments[number] += f" = {ast.unparse(default)}"
    begins = "async def" if isinstance(method, ast.AsyncFunctionDef) else "def"
    answers = ast.unparse(method.returns) if method.returns else "None"
    line = f"{begins} {method.name}({', '.join(arguments)}) -> {answers}"
    if len(line) <= 100:
        return line
    return f"{begins} {method.name}(\n" + "".join(f"    {each},\n" for each in arguments) + f") -> {answers}"


def _section(protocol: Protocol) -> str:
    operations = "\n".join(map(_subsection, protocol.operations))
    return f"## `{protocol.name}`\n\n{_marked(protocol.text)}\n\n{operations}"


def _subsection(operation: Operation) -> str:
    told = "".join(_bullet(f"**{name}**: {text}") for name, text in operation.fields.items())
    signature = f"```python\n{operation.signature}\n```"
    return f"### `{operation.name}`\n\n{signature}\n\n{_marked(operation.text)}\n" + (f"\n{told}" if told else "")


def _given() -> str:
    """What operations are given and answer, in a sentence each."""
    signatures = " ".join(operation.signature for protocol in protocols() for operation in protocol.operations)
    known = {name: made for module in PROTOCOLS for name, made in inspect.getmembers(module, inspect.isclass)}
    used = [name for name in sorted(known) if re.search(rf"\b{name}\b", signatures)]
    ours = [name for name in used if known[name].__module__.startswith("vclab.")]
    rows = "".join(_bullet(f"`{name}`: {_sentence(known[name])}") for name in ours)
    return f"## What they are given and answer\n\n{rows}"


def _bullet(text: str) -> str:
    lines = textwrap.wrap(
        f"- {_marked(text)}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) + "\n"


def _sentence(made: type) -> str:
    paragraph = (inspect.getdoc(made) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _docstring(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return textwrap.dedent(ast.get_docstring(node) or "")


def _marked(text: str) -> str:
    """As Markdown."""
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page())
