"""What is installed: every package is listed, and what the formats need can be installed by an extra."""

import configparser
import pathlib
import re

import pytest

import keras_equivariant as ke
from keras_equivariant.export.formats import registry

ROOT = pathlib.Path(__file__).parents[1]
# Modules whose distribution has another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_folder_with_an_init_is_a_listed_package(setup):
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "keras_equivariant").rglob("__init__.py")}
    found = {".".join(folder.parts) for folder in folders} | {"keras_equivariant.specs"}
    assert found == set(setup["options"]["packages"].split())


def test_every_package_folder_has_an_init():
    for path in (ROOT / "keras_equivariant").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


def test_every_file_that_is_no_module_is_package_data(setup):
    listed = {
        path
        for package, patterns in setup["options.package_data"].items()
        for pattern in patterns.split()
        for path in (ROOT / package.replace(".specs", "/specs").replace(".", "/")).glob(pattern)
    }
    package = ROOT / "keras_equivariant"
    others = {p for p in package.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".yaml")}
    assert others <= listed


def test_what_a_format_needs_is_in_its_extra(setup):
    extras = {extra: re.findall(r"^[\w-]+", text, re.M) for extra, text in setup["options.extras_require"].items()}
    for name in ke.export.format_names():
        format = registry.get(name)
        for module in (*format.writes_with, *format.runs_with):
            root = module.split(".")[0]
            wanted = DISTRIBUTIONS.get(root, root).replace("_", "-")
            assert wanted in extras[format.extra], f"{format.name} needs {wanted}, which is not in [{format.extra}]"


def test_the_documentation_lists_the_formats():
    names = ke.export.format_names()
    page = (ROOT / "tutorials/guides/deploying.md").read_text().split("| format | for |")[1].split("\n\n")[0]
    listed = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `")))
    assert tuple(listed) == names
    rows = re.findall(r"\| `(\w+)` +\| `<path>/(\S+)` +\| (.+?) +\|", ke.export.__doc__)
    assert [name for name, _, _ in rows] == list(names)
    for name, file, purpose in rows:
        format = registry.get(name)
        assert file.startswith(format.path("<name>", "<version>")) and purpose == format.purpose
