"""The guides in tutorials/*.md: their Python runs, and the layers that they name are there."""

import pathlib
import re

import keras
import pytest

import keras_equivariant as ke

GUIDES = sorted((pathlib.Path(__file__).parents[1] / "tutorials").glob("*.md"))
ENDINGS = "Conv|Convolution|Pooling|Activation|Normalization|Dense|Dropout|Lift"

by_guide = pytest.mark.parametrize("path", GUIDES, ids=[path.stem for path in GUIDES])


def test_guides_are_found():
    assert len(GUIDES) == 3


@pytest.mark.tensorflow
@by_guide
def test_python_runs(path):
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, path.name, "exec"), names)


@by_guide
def test_layers_that_it_names_exist(path):
    text = path.read_text()
    if path.stem != "choosing":  # in the tables the last column is ours
        text = " ".join(line.split("|")[-2] for line in text.splitlines() if line.startswith("|"))
    named = set(re.findall(rf"\b[A-Z][A-Za-z]+(?:{ENDINGS})(?:[23]D)?(?:Transpose)?\b", text))
    assert named
    assert {name for name in named if not hasattr(ke.layers, name) and not hasattr(keras.layers, name)} == set()
