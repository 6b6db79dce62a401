"""The commands of each workflow function, in the order in which they stand: what a running history depends on.

`python -m tests.workflows.fingerprints` writes fingerprints.json anew. Do that only after reading CONTRIBUTING.md,
"Change a running workflow safely".
"""

import ast
import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "workflows"
FILE = Path(__file__).with_name("fingerprints.json")
COMMANDS = {
    "start_activity",
    "start_activity_method",
    "execute_activity",
    "execute_activity_method",
    "execute_local_activity",
    "execute_local_activity_method",
    "start_child_workflow",
    "execute_child_workflow",
    "wait_condition",
    "sleep",
    "upsert_search_attributes",
    "upsert_memo",
    "continue_as_new",
    "patched",
    "deprecate_patch",
    "signal",
    "get_external_workflow_handle",
    "uuid4",
    "random",
}


def fingerprints() -> dict[str, list[str]]:
    """``module.function`` -> its commands, and its calls of other workflow functions that have commands."""
    functions: dict[str, ast.AST] = {}
    for file in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                functions[f"{file.stem}.{node.name}"] = node
    commanding: set[str] = set()
    while True:
        found = {name: _commands(node, commanding) for name, node in functions.items()}
        reached = {name.split(".")[1] for name, commands in found.items() if commands}
        if reached == commanding:
            return {name: commands for name, commands in sorted(found.items()) if commands}
        commanding = reached


def _commands(function: ast.AST, commanding: set[str]) -> list[str]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [text for call in calls if (text := _command(call, commanding))]


def _command(call: ast.Call, commanding: set[str]) -> str:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    of_workflow = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "workflow"
    first = ast.unparse(call.args[0]) if call.args else ""
    if of_workflow and name in COMMANDS:
        return f"{name}({first})" if "activity" in name or "workflow" in name or "patch" in name else name
    if name == "record" and isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "self":
        return f"record({first})"
    return f"-> {name}" if name in commanding and not of_workflow else ""


if __name__ == "__main__":
    FILE.write_text(json.dumps(fingerprints(), indent=1) + "\n")
    print(f"wrote {FILE}")
