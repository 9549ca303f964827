"""What the README and the pages behind it say is so: commands, Python, the spec, error messages, conventions."""

import pathlib
import re

import numpy as np
import pytest

import keras_equivariant as ke

ROOT = pathlib.Path(__file__).parents[1]
README = "README.md"
SPECS = "tutorials/guides/specs.md"
GROUPS = "tutorials/guides/group_convolutions.md"


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def test_it_is_short():
    assert len((ROOT / README).read_text().splitlines()) < 150


def test_two_commands_set_everything_up():
    install = [line for block in blocks("bash") for line in block.splitlines()]
    assert install == [
        'pip install -e ".[train]" && keras-equivariant train so2_irreps --data digits',
        'pip install -e ".[test]" && pytest',
    ]


def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["model"].output_shape == (None, 10)
    assert list((tmp_path / "out").rglob("saved_model.pb"))


def test_spec_builds_and_its_mistake_is_explained_as_shown(tmp_path):
    text = blocks("yaml", SPECS)[0]
    path = tmp_path / "small.yaml"
    path.write_text(text)
    model = ke.build_from_spec(path, filters=4)
    assert ke.certify(model).exact
    path.write_text(
        text.replace('filters: "${filters}", kernel_size: 3}\n  - repeat', "fitlers: 3, kernel_size: 3}\n  - repeat")
    )
    with pytest.raises(ke.SpecError) as error:
        ke.build_from_spec(path)
    shown = next(block for block in blocks("text", SPECS) if "small.yaml" in block).strip()
    assert shown in str(error.value)


def test_strictness_message_is_the_one_shown():
    with pytest.raises(ValueError) as error:
        ke.layers.GroupConv2D(1, 3, "D4", strides=2, padding="same", name="group_conv2d")(
            np.zeros((1, 32, 32, 8, 1), "float32")
        )
    shown = next(block for block in blocks("text", GROUPS) if "loses its exact" in block)
    assert " ".join(shown.split()) in str(error.value)


def test_conventions():
    d4 = ke.groups.get("D4")
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 8, 2))
    rotated = ke.groups.act(x, d4, 1, "regular")
    for s in range(8):
        np.testing.assert_array_equal(
            rotated[..., s, :], np.rot90(x[..., d4.product(d4.inverse(1), s), :], 1, axes=(1, 2))
        )


def test_conventions_of_field_types():
    t = 0.3
    rotation = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    twice = np.array([[np.cos(2 * t), -np.sin(2 * t)], [np.sin(2 * t), np.cos(2 * t)]])
    mirror = np.diag([-1.0, 1.0])
    rho = ke.groups.irrep("O2", "2")
    np.testing.assert_allclose(rho.rho(np.array([rotation, mirror @ rotation])), [twice, mirror @ twice], atol=1e-12)
    d4 = ke.groups.get("D4")
    assert (
        ke.groups.irrep("D4", "2+").matrices[4].item() == 1.0 and ke.groups.irrep("D4", "2-").matrices[4].item() == -1.0
    )
    assert str(ke.FieldType.parse("A1 + A2 + B1 + B2 + E", d4)) == "1x0+ + 1x0- + 1x2+ + 1x2- + 1x1"
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 8, 3))
    typed = ke.groups.act(x.reshape(1, 5, 5, 24), d4, 5, ke.FieldType.parse("3xregular", "D4"))
    np.testing.assert_array_equal(typed.reshape(x.shape), ke.groups.act(x, d4, 5, "regular"))
