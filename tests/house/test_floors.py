"""Imports run down the floors only, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import descend

PACKAGE = Path(descend.__file__).parent
FLOORS = [
    "errors",
    "functions",
    "parameters",
    "methods",
    "descent",
    "scaling",
    "applications",
    "watching",
    "diagnosing",
    "runs",
    "landscapes",
    "racing",
    "lab",
    "cli",
]
FILES = sorted(
    p for p in PACKAGE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py") or p.parent != PACKAGE
)


def floor_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_down_the_floors(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in FLOORS, f"{own} is no floor of the house: see the layout"
    tree = ast.parse(file.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        modules: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            if module.startswith("descend."):
                assert FLOORS.index(floor_of(module)) <= FLOORS.index(own), f"{file.name} imports {module}"


def test_every_file_is_one_idea_long() -> None:
    long = {p.name: n for p in FILES if (n := len(p.read_text().splitlines())) > 500}
    assert not long, f"split at 500 lines: {long}"


def imported_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_the_package_and_the_command_line_start_without_torch() -> None:
    modules = imported_by("import descend, descend.cli.main")
    assert not modules & {"torch", "numpy", "polars", "plotly", "sklearn", "pandas", "scipy"}


def test_training_starts_without_the_compiler_and_without_what_it_does_not_need() -> None:
    modules = imported_by(
        "import torch, descend\n"
        "from descend.applications.targets import problem_from_target\n"
        "descend.Descent(problem_from_target('digits')).run(descend.Until(steps=2))"
    )
    assert not modules & {"torch._dynamo", "sklearn", "pandas", "scipy", "polars", "plotly", "matplotlib"}
