"""The rooms of the package know each other one way: what each may import of ours, and no more."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraud_assets

PACKAGE = Path(fraud_assets.__file__).parent
# By room, the other rooms and modules of the package that it may import.
ARROWS = {
    "cluster": {"settings"},
    "learning": set[str](),
    "postgres": set[str](),
    "reporting": set[str](),
    "sources": {"settings", "keys"},
    "automation": {"settings", "partitions", "sources", "checks", "keys"},
    "assets": {"cluster", "learning", "reporting", "sources", "partitions", "settings", "checks"},
}


def imported(module: Path) -> Iterator[str]:
    """The rooms of the package that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = [node.module or ""]
        for name in names:
            if name.startswith("fraud_assets."):
                yield name.split(".")[1]


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_no_other_than_it_may(room: str) -> None:
    found = {other: module for module in (PACKAGE / room).rglob("*.py") for other in imported(module)}
    assert room in found, "the walk finds imports"
    assert {other: str(module) for other, module in found.items() if other not in ARROWS[room] | {room}} == {}
