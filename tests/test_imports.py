"""What is called is a function or a class: `from folder import name` gives the module where both have one name."""

import ast
import pathlib
import re

import keras_equivariant as ke

PACKAGE = pathlib.Path(ke.__file__).parent


def modules_called(path):
    """Names that a file imports as modules of the package, and calls."""
    tree, modules = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(PACKAGE.name):
            continue
        folder = PACKAGE.parent.joinpath(*node.module.split("."))
        said = (folder / "__init__.py").read_text() if folder.is_dir() else ""
        for alias in node.names:
            replaced = re.search(rf"^from .* import .*\b{alias.name}\b", said, re.MULTILINE)
            if (folder / f"{alias.name}.py").is_file() and not replaced:
                modules.add(alias.asname or alias.name)
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)} & modules


def test_no_module_is_called():
    found = {path: modules_called(path) for path in PACKAGE.rglob("*.py")}
    assert not {str(path.relative_to(PACKAGE)): names for path, names in found.items() if names}
