"""The pages: their Python runs, their links lead somewhere, the layers that they name are there."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main

ROOT = pathlib.Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
GUIDES = sorted((TUTORIALS / "guides").glob("*.md"))
SKILL = ROOT / "keras_equivariant" / "cli" / "SKILL.md"
PAGES = [ROOT / "README.md", *sorted(TUTORIALS.rglob("*.md"))]
ENDINGS = "Conv|Convolution|Pooling|Activation|Normalization|Dense|Dropout|Lift"
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def python_of(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL)


@pytest.mark.tensorflow
@named([path for path in [*GUIDES, SKILL] if python_of(path)])
def test_python_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in python_of(path):
        exec(compile(block, path.name, "exec"), names)
    keras.backend.clear_session()


def test_layers_that_pages_name_exist():
    for path in [*GUIDES, ROOT / "README.md", SKILL]:
        text = path.read_text()
        if path.stem.startswith("coming_from"):  # in the tables the last column is ours
            text = " ".join(line.split("|")[-2] for line in text.splitlines() if line.startswith("|"))
        found = set(re.findall(rf"\b[A-Z][A-Za-z]+(?:{ENDINGS})(?:[23]D)?(?:Transpose)?\b", text))
        missing = {name for name in found if not hasattr(ke.layers, name) and not hasattr(keras.layers, name)}
        assert not missing, path.name


def anchors(path):
    """The anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@named(PAGES)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
    for target, anchor in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(found), f"{path.name}: {target}{anchor}"


def test_every_page_begins_with_what_it_gives():
    for path in [*PAGES[1:], SKILL]:
        if path.parent.name != "results":
            assert re.match(r"# .+\n\n(<!--.*-->\n\n)?What you get here: ", path.read_text()), path


def test_twelve_questions_are_answered_one_link_from_the_first_page():
    page = TUTORIALS / "development" / "questions.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ") and "?" in line]
    assert len(rows) == 12
    first = {(target, anchor) for target, anchor in LINK.findall((ROOT / "README.md").read_text())}
    for row in rows:
        for target, anchor in LINK.findall(row):
            path = (page.parent / target).resolve()
            if path != ROOT / "README.md":
                assert (path.relative_to(ROOT).as_posix(), anchor) in first, row


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"([\w/]+\.(?:md|ipynb))$", (ROOT / ".mkdocs.yml").read_text(), re.MULTILINE))
    for path in [*TUTORIALS.rglob("*.md"), *TUTORIALS.glob("*.ipynb")]:
        name = path.relative_to(TUTORIALS).as_posix()
        assert name in listed or name == "README.md", f"{name} is missing in .mkdocs.yml"


def test_the_skill_page_is_in_the_package(capsys):
    assert main(["skill"]) == 0
    assert capsys.readouterr().out.rstrip() == SKILL.read_text().rstrip()


def test_the_skill_page_is_printed_without_a_framework():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-X", "importtime", "-m", "keras_equivariant", "skill"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0 and done.stdout.startswith("# keras_equivariant, for coding agents")
    assert "tensorflow" not in done.stderr
