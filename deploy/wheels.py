"""Build the two distributions of vclab from this checkout: ``python deploy/wheels.py FOLDER``.

``vclab`` is what people install: the command line, which talks to a server. ``vclab-server`` has all the rest,
workflows and activities among it, and is what ``vclab[server]`` brings. Both are of one version.
It needs setuptools, and no network.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
CLIENT = ("cli", "client", "contract", "model")
"""The packages in ``vclab`` that the command line consists of."""
CLIENT_FILES = ("__init__.py", "py.typed")
CLIENT_SCRIPT = "vclab"
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
LEAVE = shutil.ignore_patterns("__pycache__")


def main() -> None:
    """Build both, and print their paths."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in build(folder):
        print(wheel)


def build(folder: Path) -> tuple[Path, Path]:
    """The wheels of ``vclab`` and of ``vclab-server``, made in ``folder``."""
    whole = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return _wheel(folder, _client(whole), _lay_client), _wheel(folder, _server(whole), _lay_server)


def _client(whole: dict[str, Any]) -> dict[str, Any]:
    """The project of the command line: its own script, and an extra that brings the server."""
    project = dict(whole["project"])
    project["optional-dependencies"] = {"server": [f"vclab-server=={project['version']}"]}
    project["scripts"] = {CLIENT_SCRIPT: project["scripts"][CLIENT_SCRIPT]}
    del project["entry-points"]
    return {"project": project, "build-system": whole["build-system"], "tool": {"setuptools": _found(whole)}}


def _server(whole: dict[str, Any]) -> dict[str, Any]:
    """The project of everything else, with the plug-ins that bring its verbs to the command line."""
    project = dict(whole["project"])
    project["name"], project["description"] = "vclab-server", "The server and the worker of vclab."
    needs = project.pop("optional-dependencies")["server"]
    project["dependencies"] = [f"vclab=={project['version']}", *needs]
    project["scripts"] = {name: place for name, place in project["scripts"].items() if name != CLIENT_SCRIPT}
    modules = {"py-modules": whole["tool"]["setuptools"]["py-modules"]}
    return {"project": project, "build-system": whole["build-system"], "tool": {"setuptools": _found(whole) | modules}}


def _found(whole: dict[str, Any]) -> dict[str, Any]:
    """All packages that were laid there. ``vclab`` itself is the client's: in the server's tree it is only a folder."""
    own = whole["tool"]["setuptools"]
    data = {"package-data": own["package-data"]}
    return data | {"packages": {"find": own["packages"]["find"] | {"namespaces": True}}}


def _lay_client(tree: Path) -> None:
    (tree / "vclab").mkdir()
    for name in CLIENT_FILES:
        shutil.copy(CHECKOUT / "vclab" / name, tree / "vclab")
    for name in CLIENT:
        shutil.copytree(CHECKOUT / "vclab" / name, tree / "vclab" / name, ignore=LEAVE)


def _lay_server(tree: Path) -> None:
    for name in ("workflows", "activities", "benchmarks"):
        shutil.copytree(CHECKOUT / name, tree / name, ignore=LEAVE)
    shutil.copy(CHECKOUT / "worker.py", tree)
    shutil.copytree(CHECKOUT / "vclab", tree / "vclab", ignore=LEAVE)
    for name in CLIENT:
        shutil.rmtree(tree / "vclab" / name)
    for name in CLIENT_FILES:
        (tree / "vclab" / name).unlink()


def _wheel(folder: Path, project: dict[str, Any], lay: Callable[[Path], None]) -> Path:
    with tempfile.TemporaryDirectory(prefix="vclab-wheel-") as name:
        tree = Path(name)
        lay(tree)
        for file in ("README.md", "LICENSE"):
            shutil.copy(CHECKOUT / file, tree)
        (tree / "pyproject.toml").write_text("\n".join(_toml(project, "")))
        words = [sys.executable, "-c", BUILD, str(folder)]
        environment = os.environ | {"PYTHONPATH": ""}
        done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return folder / done.stdout.splitlines()[-1]


def _toml(table: dict[str, Any], path: str) -> list[str]:
    """The lines of a table; its values are such as JSON writes them, too."""
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"[{path}]"] * bool(values and path) + [f"{json.dumps(key)} = {json.dumps(values[key])}" for key in values]
    for key in table.keys() - values.keys():
        lines += _toml(table[key], f"{path}.{json.dumps(key)}".lstrip("."))
    return lines


if __name__ == "__main__":
    main()
