"""What the README says is so: its commands, its Python, its spec, its error messages, its numbers of parameters."""

import pathlib
import re

import numpy as np
import pytest

import keras_equivariant as ke

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_two_commands_set_everything_up():
    install = [line for block in blocks("bash") for line in block.splitlines()]
    assert install == [
        'pip install -e ".[train]" && keras-equivariant train p4_cnn --data digits',
        'pip install -e ".[test]" && pytest',
    ]


def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {"ke": ke, **names}, names)
    assert names["model"].output_shape == (None, 10)
    assert list((tmp_path / "out").rglob("saved_model.pb"))


def test_spec_builds_and_its_mistake_is_explained_as_shown(tmp_path):
    text = blocks("yaml")[0]
    path = tmp_path / "small.yaml"
    path.write_text(text)
    model = ke.build_from_spec(path, filters=4)
    assert ke.certify(model).exact
    path.write_text(
        text.replace('filters: "${filters}", kernel_size: 3}\n  - repeat', "fitlers: 3, kernel_size: 3}\n  - repeat")
    )
    with pytest.raises(ke.SpecError) as error:
        ke.build_from_spec(path)
    shown = next(block for block in blocks("text") if "small.yaml" in block).strip()
    assert shown in str(error.value)


def test_strictness_message_is_the_one_shown():
    with pytest.raises(ValueError) as error:
        ke.layers.GroupConv2D(1, 3, "D4", strides=2, padding="same", name="group_conv2d")(
            np.zeros((1, 32, 32, 8, 1), "float32")
        )
    shown = next(block for block in blocks("text") if "loses its exact" in block)
    assert " ".join(shown.split()) in str(error.value)


def test_conventions():
    d4 = ke.groups.get("D4")
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 8, 2))
    turned = ke.groups.act(x, d4, 1, "regular")
    for s in range(8):
        np.testing.assert_array_equal(
            turned[..., s, :], np.rot90(x[..., d4.product(d4.inverse(1), s), :], 1, axes=(1, 2))
        )


def test_conventions_of_field_types():
    t = 0.3
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    twice = np.array([[np.cos(2 * t), -np.sin(2 * t)], [np.sin(2 * t), np.cos(2 * t)]])
    mirror = np.diag([-1.0, 1.0])
    rho = ke.groups.irrep("O2", "2")
    np.testing.assert_allclose(rho.rho(np.array([turn, mirror @ turn])), [twice, mirror @ twice], atol=1e-12)
    d4 = ke.groups.get("D4")
    assert (
        ke.groups.irrep("D4", "2+").matrices[4].item() == 1.0 and ke.groups.irrep("D4", "2-").matrices[4].item() == -1.0
    )
    assert str(ke.FieldType.parse("A1 + A2 + B1 + B2 + E", d4)) == "1x0+ + 1x0- + 1x2+ + 1x2- + 1x1"
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 8, 3))
    typed = ke.groups.act(x.reshape(1, 5, 5, 24), d4, 5, ke.FieldType.parse("3xregular", "D4"))
    np.testing.assert_array_equal(typed.reshape(x.shape), ke.groups.act(x, d4, 5, "regular"))


COUNTS = {
    ("steerable_d4_resnet",): [{}, {"type": "irreps"}],
    ("e2_sfcnn",): [{}, {"group": "D16", "restrict": "C16"}],
    ("e2_wrn_16_8", "e2_wrn_28_10"): [{}],
    ("so2_irreps",): [{"nonlinearity": name} for name in ("gated", "norm", "fourier")],
    ("z2_cnn", "p4_cnn", "p4_cnn_rotation_pooling"): [{}],
    ("all_cnn",): [{"group": "Z2"}, {"group": "C4"}, {"group": "D4"}],
    ("p4m_resnet",): [{"group": "Z2"}, {"group": "D4"}],
    ("p4m_resnet ",): [{"blocks": 4, "width": 71, "group": "Z2"}, {"blocks": 4, "width": 71, "group": "D4"}],
    ("hnet_rotated_mnist",): [{}],
    ("l2c_all_cnn",): [{}],
    ("l2c_mnist",): [{"group": "Z2"}, {"basis": "steerable"}, {"basis": "learned"}],
    ("octahedral_resnet",): [{}, {"group": "Z3"}],
    ("voxnet",): [{"classes": 40}],
    ("unet_segmentation", "hnet_segmentation"): [{}],
    ("lieconv_rotated_mnist",): [{}, {"group": "SO2"}, {"group": "Trivial2"}],
    ("lieconv_molecules", "lieconv_dipole"): [{}],
    ("hlieconv_springs", "fc_springs", "hfc_springs"): [{}],
}


def test_numbers_of_parameters():
    for names, variants in COUNTS.items():
        models = [ke.build_from_spec(name.strip(), **params) for name in names for params in variants]
        counts = [sum(int(np.prod(w.shape)) for w in model.trainable_weights) for model in models]
        assert f"| {' · '.join(f'{count:,}' for count in counts)} |" in README


def test_packaged_specs_are_listed():
    table = README.split("| spec |")[1].split("\n\n")[0]
    for name in ke.list_specs():
        assert f"`{name}`" in table
