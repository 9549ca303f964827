"""Points in specs: published counts, tuples through the compiler, mistakes in one line, certificates, export."""

import math

import numpy as np
import pytest
from small_specs import SMALL

import keras_equivariant as ke
from keras_equivariant.compiler import build_from_spec, lint

COUNTS = [
    ("lieconv_rotated_mnist", {}, 588_645),
    ("lieconv_rotated_mnist", {"group": "RxSO2"}, 588_645),
    ("lieconv_rotated_mnist", {"group": "SO2"}, 588_837),
    ("lieconv_rotated_mnist", {"group": "SE2"}, 588_837),
    ("lieconv_rotated_mnist", {"group": "Trivial2"}, 589_029),
    ("hlieconv_springs", {}, 895_297),
    ("fc_springs", {}, 213_016),
    ("hfc_springs", {}, 204_033),
    ("lieconv_qm9", {}, 21_315_553),
]
SPEC = """\
spec: 1
name: net
input: {shape: [6, 3], space: 2}
layers:
  - LieLift: SE2
  - LieConv: {filters: 4, group: SE2, neighbors: 3}
@@
  - LiePooling: mean
"""


@pytest.mark.parametrize(("name", "params", "count"), COUNTS, ids=str)
def test_published_parameter_counts(name, params, count):
    model = build_from_spec(name, **params)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == count


def test_inputs_and_stock_layers_on_points(write):
    entries = "  - residual: {main: [Dense: 4, BatchNormalization, Activation: relu]}\n  - Dropout: 0.1"
    path = write(SPEC.replace("@@", entries))
    assert lint(path) == []
    model = build_from_spec(path)
    assert [x.name for x in model.inputs] == ["positions", "values", "mask"]
    assert model.output_shape == (None, 4)
    text = ke.load_spec(path).to_yaml()
    assert "space: 2" in text
    again = build_from_spec(write(text, "again.yaml"))
    assert again.count_params() == model.count_params()


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("  - Flatten", "LiePooling before it"),
        ("  - LieLift: SE2", "lifts them once"),
        ("  - LieConv: {filters: 4, group: T2}", 'its own group, "T2"'),
        ("  - LieConv: {filters: 4, group: SE5}", "other Lie groups"),
        ("  - LieConv: {filters: 4, group: SE2, neighbor: 3}", 'Did you mean "neighbors"'),
        ("  - BatchNormalization: {axis: 1}", "axis=-1"),
        ("  - LieBottleneck: {filters: 2, group: SE2}", "at least the channels"),
    ],
)
def test_mistakes(error_of, entry, text):
    found = error_of(SPEC.replace("@@", entry))
    assert text in found and found.startswith("net.yaml:7") and "\n" not in found


def test_points_need_points(error_of, write):
    assert "takes points" in error_of(SPEC.replace(", space: 2", "").replace("[6, 3]", "[6, 6, 3]").replace("@@\n", ""))
    assert "both known" in error_of(SPEC.replace("[6, 3]", "[null, 3]").replace("@@\n", ""))
    assert "1, 2 or 3" in error_of(SPEC.replace("space: 2", "space: 7").replace("@@\n", ""))


@pytest.mark.tensorflow
def test_from_spec_to_file(tmp_path):
    """Spec, training, certificate, export: the whole way, on molecules."""
    rng = np.random.default_rng(0)
    model = build_from_spec("lieconv_molecules", width=8, layers=1, points=6, channels=3, neighbors=4)
    inputs = [rng.normal(size=(16, 6, 3)), rng.normal(size=(16, 6, 3)), rng.random((16, 6)) < 0.8]
    model.compile("adam", "mse")
    losses = [float(model.train_on_batch(inputs, np.ones((16, 1)))) for _ in range(10)]
    assert losses[-1] < losses[0]
    report = ke.certify(model)
    assert report.exact and report.group == "T3"
    written = ke.export(model, tmp_path / "out", formats=["saved_model", "tflite"])
    assert written.passed and written.equivariance


@pytest.mark.tensorflow
def test_the_dipole_rotates_with_the_molecule(tmp_path):
    model = build_from_spec("lieconv_dipole", width=8, layers=1, points=6, channels=3, samples=12, neighbors=20)
    report = ke.certify(model, seed=1)
    exact = [element for element in report.elements if not element.interpolated]
    assert len(exact) == 6 and max(element.errors["float64"] for element in exact) <= 1e-10
    assert min(element.control for element in exact[1:]) > 1e-2  # if the vector were said not to rotate


@pytest.mark.tensorflow
def test_forces_of_positions_and_orientations():
    """Those of `ponita_molecules`: the gradient of its energy, which rotates with the molecule by its group."""
    model = build_from_spec("ponita_molecules", width=4, functions=4, layers=1, points=5, channels=3, neighbors=5)
    rng, step = np.random.default_rng(0), np.zeros((1, 5, 3))
    step[0, 1, 1] = 1e-2
    x, f, mask = 1.5 * rng.normal(size=(1, 5, 3)), rng.normal(size=(1, 5, 3)), np.array([[True] * 4 + [False]])
    answer = ke.dynamics.EnergyAndForces(model)
    forces = np.asarray(answer([x, f, mask])["forces"])
    up, down = (float(np.asarray(model([x + s, f, mask]))[0, 0]) for s in (step, -step))
    assert abs(forces[0, 1, 1] + (up - down) / 2e-2) < 1e-2 * np.abs(forces).max() < abs(forces[0, 1, 1])
    assert np.abs(forces[0, 4]).max() == 0
    group, size = ke.groups.get("I"), np.abs(forces).max()
    for turn in (group.matrices[7], group.matrices[31]):
        turned = np.asarray(answer([x @ turn.T + 2.0, f, mask])["forces"])
        assert np.abs(turned - forces @ turn.T).max() < 1e-5 * size < 1e-2 * size < np.abs(turned - forces).max()


@pytest.mark.tensorflow
@pytest.mark.parametrize(("reduction", "factor"), [("sum", 2.0), ("mean", 1.0)])
@pytest.mark.parametrize("name", ["ponita_molecules", "tfn_molecules"])
def test_two_molecules_far_apart(name, reduction, factor):
    """What is a sum over atoms doubles with a second copy far away; a mean stays."""
    small = {**SMALL[name], "points": 8, "neighbors": 4, "channels": 2}
    model = build_from_spec(name, **small, reduction=reduction)
    rng = np.random.default_rng(0)
    x, f, mask = rng.normal(size=(1, 8, 3)), rng.normal(size=(1, 8, 2)), np.arange(8)[None] < 4
    x[:, 4:], f[:, 4:] = x[:, :4] + 100.0, f[:, :4]
    one, two = (np.asarray(model([x.astype("float32"), f.astype("float32"), m])) for m in (mask, mask | True))
    np.testing.assert_allclose(two, factor * one, rtol=1e-4, atol=1e-5)


def test_classes_of_points_in_tflite(tmp_path):
    data = ke.data.load("tetris_points", draws=2, places=1)
    inputs = list(data.x_test.arrays.values())
    model = build_from_spec("ponita_tetris", width=4, functions=4, layers=1)
    group = ke.groups.get("I")
    assert ke.certify(model).exact
    report = ke.export(model, tmp_path, formats=["tflite"], representative_data=inputs)
    assert report.passed and max(report.equivariance.values()) < 1e-5
    turned = [inputs[0] @ group.matrices[9].T.astype("float32"), *inputs[1:]]
    assert np.abs(np.asarray(model(turned)) - np.asarray(model(inputs))).max() < 1e-5
    learned, turned = data.x_train.arrays["positions"], data.x_test.arrays["positions"]
    apart = [
        np.sort(np.linalg.norm(x[:, :, None] - x[:, None], axis=-1).reshape(len(x), -1)) for x in (learned, turned)
    ]
    assert np.abs(apart[0] - apart[1][:7]).max() < 0.6 < np.abs(learned - turned[:7]).max(), "the same shapes, rotated"
    assert len(ke.data.load("tetris_points", draws=1, mirrored=True).class_names) == 8 == data.num_classes + 1


def test_old_names_of_options_and_parameters_for_now(write):
    with pytest.warns(DeprecationWarning, match="`neighbours` is now `neighbors`"):
        model = build_from_spec(write(SPEC.replace("@@", "  - LieConv: {filters: 4, group: SE2, neighbours: 3}")))
    assert [layer.neighbors for layer in model.layers if hasattr(layer, "neighbors")][-1] == 3
    small = {"width": 8, "layers": 1, "points": 6, "channels": 3}
    with pytest.warns(DeprecationWarning, match="`neighbours` is now `neighbors`"):
        build_from_spec("lieconv_molecules", **small, neighbours=4)
    own = "spec: 1\nextends: lieconv_molecules\nname: own\nparams: {neighbours: 4, width: 8, layers: 1, points: 6}\n"
    with pytest.warns(DeprecationWarning, match="`neighbours` is now `neighbors`"):
        model = build_from_spec(write(own))
    assert model.get_layer("lie_bottleneck").neighbors == 4
