"""All stored histories are replayed against the code, and the lines that they pass are noted."""

import ast
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from temporalio.worker import Replayer

import workflows
from tests.histories.stored import StoredHistory
from vclab.temporal import sandbox
from vclab.temporal.converter import CONVERTER

FILES = frozenset(map(str, Path(workflows.__file__ or "").parent.glob("*.py")))
NOT_PASSED = Path(__file__).with_name("not_passed.txt")
"""Lines of workflows that no history passes, each with the reason."""


@dataclass
class Replayed:
    """What came of it."""

    failures: dict[str, Exception] = field(default_factory=dict)  #: by the history's name
    passed: set[tuple[str, int]] = field(default_factory=set)  #: file name and line


async def replay(histories: list[StoredHistory]) -> Replayed:
    """Replay them all, in the sandbox as a worker does it. Slower by half for noting the lines."""
    names = {each.history.run_id: each.name for each in histories}

    async def each() -> Any:
        for history in histories:
            yield history.history

    found = Replayed()
    with _tracing(found.passed), ThreadPoolExecutor(4) as executor:
        replayer = Replayer(
            workflows=workflows.WORKFLOWS,
            workflow_runner=sandbox.sandbox(),
            workflow_task_executor=executor,
            data_converter=CONVERTER,
        )
        results = await replayer.replay_workflows(each(), raise_on_replay_failure=False)
    found.failures = {names[run_id]: error for run_id, error in results.replay_failures.items()}
    return found


@contextmanager
def _tracing(passed: set[tuple[str, int]]) -> Iterator[None]:
    """Note the lines of workflows that threads pass which begin meanwhile."""

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            passed.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, _event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename in FILES else None

    threading.settrace(call)
    try:
        yield
    finally:
        threading.settrace(None)


def never_passed(passed: set[tuple[str, int]]) -> list[str]:
    """The lines of workflow functions that were not passed, as ``NOT_PASSED`` has them: file, function and text.

    What no replay calls is left out: validators and queries.
    """
    found = []
    for file in map(Path, sorted(FILES)):
        text = file.read_text()
        unplayed, lines = _unplayed(ast.parse(text)), text.splitlines()
        for code in _functions(compile(text, file, "exec")):
            if code.co_qualname in unplayed:
                continue
            numbers = {number for _, _, number in code.co_lines() if number and number != code.co_firstlineno}
            for number in sorted(numbers):
                if (str(file), number) not in passed:
                    found.append(f"{file.stem}.{code.co_qualname}: {lines[number - 1].strip()}")
    return list(dict.fromkeys(found))


def allowed() -> dict[str, str]:
    """What ``NOT_PASSED`` names, with the reasons."""
    found, reason = {}, ""
    for line in NOT_PASSED.read_text().splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line:
            found[line] = reason
    return found


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The functions in a module, and those within."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_flags & inspect.CO_NEWLOCALS and not each.co_name.startswith("<"):
                yield each
            yield from _functions(each)


def _unplayed(tree: ast.Module) -> set[str]:
    """The qualified names of validators and queries."""
    found = set()
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for function in kind.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                marks = " ".join(ast.unparse(mark) for mark in function.decorator_list)
                if "validator" in marks or "query" in marks:
                    found.add(f"{kind.name}.{function.name}")
    return found
