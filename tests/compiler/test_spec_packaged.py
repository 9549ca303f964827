"""The published architectures: found by name, with the published numbers of parameters, equivariant by measurement."""

import math
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler import SpecError, build_from_spec, lint, list_specs, load_spec
from keras_equivariant.compiler.grammar import source as sources

FOLDER = Path(__file__).parents[2] / "specs"
COUNTS = [
    ("z2_cnn", {}, 21_750),
    ("p4_cnn", {}, 24_680),
    ("p4_cnn_rotation_pooling", {}, 21_750),
    ("all_cnn", {"group": "Z2"}, 1_372_254),
    ("all_cnn", {"group": "C4"}, 1_371_006),
    ("all_cnn", {"group": "D4"}, 1_219_678),
    ("p4m_resnet", {"group": "Z2"}, 2_639_434),
    ("p4m_resnet", {}, 2_622_878),
    ("p4m_resnet", {"blocks": 4, "width": 71, "group": "Z2"}, 7_236_046),
    ("p4m_resnet", {"blocks": 4, "width": 71}, 7_173_110),
    # As many as keras.applications.ResNet50 and DenseNet121 have without the running averages.
    ("resnet50", {"group": "Z2", "size": 32}, 25_636_712 - 53_120),
    ("resnet50", {"size": 32}, 24_281_113),
    ("densenet", {"group": "Z2", "size": 32}, 8_062_504 - 83_648),
    ("densenet", {"size": 32}, 6_871_578),
    ("d4_unet", {}, 150_886),
    ("unet_volumes", {}, 145_707),
    ("hnet_rotated_mnist", {}, 22_826),
    ("unet_segmentation", {}, 134_529),
    ("unet_segmentation", {"levels": 2}, 32_705),
    ("hnet_segmentation", {}, 126_319),
    ("e2_sfcnn", {}, 2_692_690),
    ("e2_sfcnn", {"group": "D16", "restrict": "C16"}, 2_940_615),
    ("so2_irreps", {}, 72_746),
    ("steerable_d4_resnet", {}, 195_736),
    ("e2_wrn_16_8", {}, 13_051_980),
    ("e2_wrn_28_10", {}, 40_945_004),
    ("hnet_segmentation", {"stages": 3}, 15_659),
    ("voxnet", {"classes": 40}, 921_736),
    ("octahedral_resnet", {}, 117_842),
    ("octahedral_resnet", {"group": "Z3"}, 113_778),
    ("se3_tetris", {}, 41_198),
    ("se3_shrec17", {}, 142_617),
    ("se3_cath_resnet34", {}, 143_560),
    ("cath_resnet34", {}, 15_878_764),
    ("se3_modelnet10", {}, 20_650),
    ("se3_vector_field", {}, 1_396),
    ("l2c_all_cnn", {}, 1_360_530),
    ("l2c_all_cnn", {"basis": "gaussian"}, 1_360_530),
    ("l2c_all_cnn", {"basis": "steerable"}, 1_362_238),
    ("l2c_all_cnn", {"group": "Z2"}, 1_409_674),
    ("group_convnext", {}, 1_066_946),
    ("group_convnext", {"width": 96, "depths": [3, 3, 9, 3], "size": 224, "classes": 1000}, 3_574_516),
    ("group_convnext", {"width": 96, "depths": [3, 3, 9, 3], "size": 224, "classes": 1000, "group": "Z2"}, 28_589_128),
    ("octa_convnext", {}, 165_166),
    ("octa_convnext", {"group": "Z3"}, 3_963_754),
    ("group_mobilenet", {}, 280_392),
    ("group_mobilenet", {"size": 224, "classes": 1000, "group": "Z2", "exact": False}, 3_504_872),
]
EXACT = [
    ("e2_sfcnn", {"width": 0.1, "group": "D8", "restrict": "C8"}, "C4"),
    ("so2_irreps", {"filters": 2}, "C4"),
    ("so2_irreps", {"filters": 2, "nonlinearity": "norm"}, "C4"),
    ("so2_irreps", {"filters": 2, "nonlinearity": "fourier"}, "C4"),
    ("steerable_d4_resnet", {"blocks": 1, "width": 12, "type": "irreps"}, "D4"),
    ("steerable_d4_resnet", {"blocks": 1, "width": 8, "type": "quotient(D1)"}, "D4"),
    ("e2_wrn_16_8", {"blocks": 1, "width": 1}, "D1"),
    ("l2c_all_cnn", {"filters": 2, "wide": 3, "size": 16}, "C4"),
    ("l2c_mnist", {"filters": 2, "wide": 3, "group": "D8"}, "D4"),
    ("l2c_mnist", {"filters": 2, "wide": 3, "basis": "bilinear"}, "C4"),
    ("p4_cnn", {"filters": 4}, "C4"),
    ("p4_cnn", {"filters": 3, "group": "D4"}, "D4"),
    ("p4_cnn", {"filters": 3, "size": 32, "channels": 2}, "C4"),
    ("p4_cnn_rotation_pooling", {"filters": 8}, "C4"),
    ("hnet_rotated_mnist", {"filters": 2}, "C4"),
    ("hnet_rotated_mnist", {"filters": 2, "max_order": 2, "size": 20, "channels": 3, "classes": 4}, "C4"),
    ("all_cnn", {"filters": 4}, "D4"),
    ("all_cnn", {"filters": 4, "group": "p4", "size": 16}, "C4"),
    ("p4m_resnet", {"blocks": 2, "filters": 4}, "D4"),
    ("densenet", {"growth": 6, "size": 17, "classes": 5, "blocks": [1, 1, 1, 1]}, "D4"),
    ("p4m_resnet", {"blocks": 1, "filters": 4, "group": "C4"}, "C4"),
    ("p4m_resnet", {"blocks": 1, "filters": 4, "exact": False, "strict": True, "size": 33}, "D4"),
    ("all_cnn", {"filters": 4, "exact": False, "strict": True, "size": 33}, "D4"),
    ("octahedral_resnet", {"width": 5, "size": 12, "features": 8}, "O"),
    ("octahedral_resnet", {"width": 5, "size": 9, "group": "D4h", "features": 8}, "D4h"),
    ("se3_tetris", {"size": 9}, "O"),
    ("se3_shrec17", {"size": 17}, "O"),
    ("se3_cath_resnet34", {"size": 10, "blocks": [1, 1, 1, 2], "scalars": 8}, "O"),
    ("se3_modelnet10", {"size": 14}, "O"),
    ("group_convnext", {"width": 32, "depths": [1, 1, 1, 1], "layer_scale": 1.0}, "D4"),
    (
        "group_convnext",
        {"width": 16, "depths": [1, 1, 0, 0], "layer_scale": 1.0, "size": 29, "group": "C4", "normalization": "batch"},
        "C4",
    ),
    ("octa_convnext", {"width": 72, "depths": [1, 1, 0], "layer_scale": 1.0, "size": 10, "kernel_size": 3}, "O"),
    ("group_mobilenet", {"alpha": 0.25, "size": 28, "channels": 1, "blocks": [1, 2, 1, 1, 1, 1]}, "D4"),
]
INEXACT = [
    ("z2_cnn", {}),
    ("all_cnn", {"filters": 4, "exact": False}),
    ("p4m_resnet", {"blocks": 1, "filters": 4, "exact": False}),
    ("p4m_resnet", {"blocks": 1, "group": "Z2", "filters": 4}),
    ("octahedral_resnet", {"width": 4, "size": 12, "group": "Z3"}),
    ("voxnet", {"filters": 4, "size": 16}),
    ("cath_resnet34", {"size": 10, "width": 4, "blocks": [1, 1, 1, 1]}),
]


def ident(value):
    return "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def randomized(name, params):
    """A network with random weights and statistics, lively in all layers, and a batch of images."""
    draw = np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build_from_spec(name, **params)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            bounds = {
                "gamma": (0.5, 1.5),
                "beta": (-0.2, 0.5),
                "moving_mean": (-0.2, 0.2),
                "moving_variance": (0.5, 1.5),
            }
            layer.set_weights([draw.uniform(*bounds[weight.name], size=weight.shape) for weight in layer.weights])
        elif hasattr(layer, "kernel"):
            taps = layer.kernel.shape[: -2 if hasattr(layer, "depth_multiplier") else -1]
            kernel = draw.normal(size=layer.kernel.shape) * math.sqrt(2 / math.prod(taps))
            layer.set_weights([kernel, *(draw.uniform(-0.1, 0.1, size=w.shape) for w in layer.weights[1:])])
    return model, draw.normal(size=(2, *model.input_shape[1:])).astype("float32")


def relative_change(model, x, *moved):
    """The largest change of the answers to the images, in one call with all that they are moved to."""
    y, *others = np.split(np.asarray(model(np.concatenate([x, *moved]))), 1 + len(moved))
    assert np.abs(y[0] - y[1]).max() > 1e-2 * np.abs(y).max()  # a network that looks at its input
    return max(np.abs(y - other).max() for other in others) / np.abs(y).max()


@pytest.mark.parametrize(("name", "params", "count"), COUNTS, ids=ident)
def test_published_parameter_counts(name, params, count):
    model = build_from_spec(name, **params)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == count


@pytest.mark.parametrize(
    ("name", "params", "count"),
    [case for case in COUNTS if case[0] in ("all_cnn", "p4m_resnet") and case[1].get("group") != "Z2"],
    ids=ident,
)
def test_the_published_strides_have_the_published_counts_too(name, params, count):
    with pytest.warns(UserWarning, match="is not exactly equivariant"):
        model = build_from_spec(name, exact=False, **params)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == count


@pytest.mark.parametrize(("name", "params", "group"), EXACT, ids=ident)
def test_logits_do_not_change_under_the_group(name, params, group):
    model, x = randomized(name, params)
    moved = [ke.groups.act(x, group, element, "image") for element in ke.groups.get(group).grid_elements]
    assert relative_change(model, x, *moved) <= 1e-5


@pytest.mark.parametrize(("name", "params"), INEXACT, ids=ident)
def test_the_others_do_change(name, params):
    model, x = randomized(name, params)
    assert relative_change(model, x, np.rot90(x, 1, axes=(1, 2))) > 1e-3


def test_a_rotation_group_does_not_give_invariance_to_mirroring():
    model, x = randomized("p4_cnn", {})
    assert relative_change(model, x, x[:, :, ::-1]) > 1e-3


@pytest.mark.parametrize("name", ["all_cnn", "p4m_resnet"])
def test_the_published_strides_are_refused_where_they_are_strict(name):
    text = "does not cover the 32 pixels of H and W symmetrically. Received: .*; this layer would take size 31 or 33"
    with pytest.raises(SpecError, match=text):
        build_from_spec(name, exact=False, strict=True)


def test_the_published_widths():
    assert [load_spec("all_cnn", group=group).params["filters"] for group in ("Z2", "p4", "D4")] == [96, 48, 32]
    assert load_spec("all_cnn", group="C8", filters=34).params["filters"] == 34
    with pytest.raises(SpecError, match="the table has no entry 'C8'"):
        load_spec("all_cnn", group="C8")
    for params, widths in [
        ({}, [11, 23, 45]),
        ({"width": 71}, [25, 50, 100]),
        ({"group": "Z2", "width": 71}, [71, 142, 284]),
    ]:
        model = build_from_spec("p4m_resnet", blocks=1, **params)
        found = [layer.filters for layer in model.layers if isinstance(layer, ke.layers.GroupConv2D)]
        assert sorted(set(found)) == sorted({*widths, 10})


def test_the_published_depths():
    for blocks, depth in ((7, 44), (4, 26)):
        model = build_from_spec("p4m_resnet", blocks=blocks)
        convolutions = [layer for layer in model.layers if hasattr(layer, "kernel_size")]
        assert len(convolutions) == depth + 2  # and the two 1x1 shortcuts


def test_the_published_recipes():
    optimizers = {name: load_spec(name).training["optimizer"] for name in list_specs()}
    assert optimizers["p4_cnn"] == optimizers["z2_cnn"] == {"Adam": {"learning_rate": 1e-3}}
    assert optimizers["hnet_rotated_mnist"] == {"Adam": {"learning_rate": 7.6e-3}}
    assert optimizers["p4m_resnet"] == {"SGD": {"learning_rate": 0.05, "momentum": 0.9}}
    assert load_spec("p4m_resnet").training["schedule"] == {"piecewise": {"epochs": [50, 100, 150], "factor": 0.1}}
    epochs = {name: load_spec(name).training["epochs"] for name in list_specs()}
    published = {"z2_cnn": 300, "p4_cnn": 100, "p4_cnn_rotation_pooling": 100, "all_cnn": 350, "p4m_resnet": 300}
    assert published.items() <= epochs.items()


def test_the_segmentation_network_answers_at_every_pixel():
    for levels in (1, 2, 3, 4):
        model = build_from_spec("unet_segmentation", width=2, levels=levels, size=48, channels=3)
        assert model.output_shape == (None, 48, 48, 1)
        halved = [layer.output.shape[1] for layer in model.layers if isinstance(layer, ke.layers.MaxPooling2D)]
        assert halved == [24, 12, 6, 3][:levels]
        skips = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
        assert len(skips) == levels
    assert load_spec("unet_segmentation").training["loss"] == "balanced_crossentropy"
    with pytest.raises(SpecError, match="matching shapes"):
        build_from_spec("unet_segmentation", size=50)


def test_the_harmonic_segmentation_network_rotates_with_its_input():
    for stages in (1, 2, 3, 4, 5):
        model = build_from_spec("hnet_segmentation", width=2, stages=stages, size=48, channels=2)
        sides = [layer for layer in model.layers if isinstance(layer, ke.layers.HarmonicMagnitude)]
        assert model.output_shape == (None, 48, 48, 1) and len(sides) == stages
    widths = [layer.filters for layer in model.layers if isinstance(layer, ke.layers.HarmonicConv2D)]
    assert sorted(widths) == [2, 2, 4, 4, 8, 8, 16, 16, 16, 16]
    assert not lint("hnet_segmentation")
    exact = ke.certify(build_from_spec("hnet_segmentation", width=2, stages=3, size=24), "C4", layers=False, angles=0)
    plain = ke.certify(build_from_spec("unet_segmentation", width=2, size=24), "C4", layers=False, angles=0)
    assert exact.exact and exact.law == "equivariance" and plain.verdict == "broken"
    with pytest.raises(SpecError, match="does not cover the 25 pixels"):
        build_from_spec("hnet_segmentation", size=50)


def test_the_vector_field_rotates_with_its_input():
    model = build_from_spec("se3_vector_field", size=9)
    assert model.output_shape == (None, 9, 9, 9, 3)
    report = ke.certify(model, layers=False, angles=0)
    assert report.exact and report.law == "equivariance" and report.group == "SO3"
    assert not lint("se3_vector_field")
    rotating = {**load_spec("se3_vector_field").to_dict(), "law": "invariance"}
    assert "rotate with the input" in lint(rotating)[0].message
    with pytest.raises(SpecError, match="must be one of invariance, equivariance"):
        load_spec({**rotating, "law": "none"})


def test_z2_cnn_drops_out_where_the_paper_does():
    layers = [
        layer
        for layer in build_from_spec("z2_cnn").layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dropout)
    ]
    after = [sum(isinstance(layer, keras.layers.Conv2D) for layer in layers[:i]) for i, layer in enumerate(layers)]
    assert [n for n, layer in zip(after, layers, strict=True) if isinstance(layer, keras.layers.Dropout)] == [
        1,
        3,
        4,
        5,
        6,
    ]


def test_packaged_specs_are_found_from_anywhere(tmp_path):
    code = "import keras_equivariant as ke; print([ke.load_spec(n).name for n in ('p4_cnn', 'p4_cnn.yaml')])"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "['p4_cnn', 'p4_cnn']\n", run.stderr


def test_the_list_is_the_folder():
    assert list_specs() == tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
    assert {"z2_cnn", "p4_cnn", "p4_cnn_rotation_pooling", "all_cnn", "p4m_resnet"} <= set(list_specs())
    assert all(load_spec(name).name == name and load_spec(name).description for name in list_specs())


def test_a_checkout_that_is_not_installed_has_its_specs(monkeypatch):
    def missing(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(sources.importlib.resources, "files", missing)
    assert "p4_cnn" in list_specs()
    assert load_spec("p4_cnn").name == "p4_cnn"


def test_a_file_comes_before_a_packaged_spec_only_with_its_suffix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "p4_cnn.yaml").read_text().replace("name: p4_cnn", "name: mine")
    (tmp_path / "p4_cnn.yaml").write_text(text)
    (tmp_path / "z2_cnn").mkdir()
    assert load_spec("p4_cnn.yaml").name == "mine"
    assert load_spec("p4_cnn").name == "p4_cnn"
    assert load_spec("z2_cnn").name == "z2_cnn"
    assert load_spec(tmp_path / "p4_cnn.yaml").name == "mine"


def test_networks_survive_a_keras_file(tmp_path):
    model, x = randomized("p4m_resnet", {"blocks": 1, "filters": 4})
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(x), again(x))


@pytest.mark.parametrize(("name", "size"), [("p4_cnn", 5), ("z2_cnn", 2)])
def test_where_no_size_is_near_that_of_the_spec_is_named(name, size):
    *_, network = lint(name, size=size)
    assert f"on inputs of size 28. Received: size {size}; use size=28" in network.message
    assert not lint(name, size=28)


def test_linting_finds_what_building_refuses():
    problems = lint("p4m_resnet", exact=False, strict=True)
    assert {(p.where.line, p.severity) for p in problems} == {(p.where.line, "error") for p in problems}
    *layers, network = problems
    assert len(layers) == 4 and "the whole network keeps its symmetry on inputs of size 29 and 33" in network.message
    assert [p.severity for p in lint("p4m_resnet", exact=False)] == ["warning"] * 4
