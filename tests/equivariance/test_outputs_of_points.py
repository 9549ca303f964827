"""How the outputs of networks on points transform, whatever stands behind the last layer of this package."""

import keras
import numpy as np
import pytest
from keras import ops
from small_specs import SMALL

import keras_equivariant as ke

TYPE = "3x0 + 2x1"


def weighted_mean(x, logits, mask):
    """One point of each sample; absent points have no part in it."""
    weights = ops.softmax(ops.where(mask, logits, -1e9), axis=1)
    return ops.sum(weights[..., None] * x, axis=1)


OUTPUTS = {
    "positions": (lambda x, f, m, v: x, "positions"),
    "moved positions": (lambda x, f, m, v: x + v, "positions"),
    "one of them": (lambda x, f, m, v: x[:, 0] + v[:, 0], "positions"),
    "a weighted mean": (lambda x, f, m, v: weighted_mean(x, f[..., 0], m), "positions"),
    "all three": (lambda x, f, m, v: [x, f, m], f"frames of {TYPE}"),
    "values": (lambda x, f, m, v: f, f"frames of {TYPE}"),
    "scaled values": (lambda x, f, m, v: 2 * f, f"frames of {TYPE}"),
    "vectors": (lambda x, f, m, v: v, "frames of 1x1"),
    "their sum": (lambda x, f, m, v: ops.sum(f, axis=1), TYPE),
    "their mean": (lambda x, f, m, v: keras.layers.GlobalAveragePooling1D()(f), TYPE),
    "the mean vector": (lambda x, f, m, v: ops.mean(v, axis=1), "1x1"),
    "the largest norm": (lambda x, f, m, v: ops.max(ke.layers.NormPooling(TYPE, "SO3")(f), axis=1), "invariant"),
}
BROKEN = {
    "a sum of positions": lambda x, f, m, v: ops.sum(x, axis=1),
    "a function of components": lambda x, f, m, v: ops.relu(f),
    "its sum": lambda x, f, m, v: ops.sum(ops.relu(f), axis=1),
    "the largest component": lambda x, f, m, v: ops.max(f, axis=1),
    "offsets from a mean with absent points": lambda x, f, m, v: x - ops.mean(x, axis=1, keepdims=True),
    "the size of positions": lambda x, f, m, v: ops.sum(x * x, axis=-1),
}


def network(make):
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((5, 3)), keras.Input((5, 2)), keras.Input((5,), dtype="bool")]
    x, f, mask = ke.layers.SteerablePointConv("2x0", TYPE, "SO3", radius=2.0)(inputs)
    return keras.Model(inputs, make(x, f, mask, ke.layers.SteerableDense(TYPE, "1x1", "SO3")(f)))


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_law_of_an_output_is_found(name):
    make, law = OUTPUTS[name]
    report = ke.certify(network(make))
    assert report.exact, report
    assert any(output.endswith(f") {law}") for output in report.outputs)


@pytest.mark.parametrize("name", BROKEN)
def test_none_is_found_where_none_holds(name):
    assert ke.certify(network(BROKEN[name])).verdict == "broken"


@pytest.mark.parametrize(("layout", "exact"), [("positions", True), ("1x1", False), ("invariant", False)])
def test_a_law_that_is_named_is_the_one_that_is_tested(layout, exact):
    report = ke.certify(network(OUTPUTS["moved positions"][0]), output_layout=layout)
    assert report.exact is exact


def test_where_absent_points_are_does_not_count():
    model = network(OUTPUTS["positions"][0])
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2))
    for mask in (np.ones((2, 5), bool), np.arange(10).reshape(2, 5) % 3 > 0):
        assert ke.certify(model, inputs=[x, f, mask]).exact


@pytest.mark.parametrize(("name", "options"), [("tfn_molecules", {"radius": 4.0}), ("lieconv_molecules", {})])
def test_forces_are_vectors_of_each_point(name, options):
    keras.utils.set_random_seed(0)
    network = ke.build_from_spec(name, **{**SMALL[name], "channels": 6, **options})
    learner = ke.dynamics.EnergyAndForces(network)
    report = ke.certify(learner)
    assert report.exact and "float64" in {p.dtype for p in report.precisions if p.error is not None}, report
    assert ke.certify(learner, dtypes=("float32",), law="invariance").exact is (name == "lieconv_molecules")  # of T(3)


@pytest.mark.parametrize(
    ("group", "samples", "exact"),
    [
        ("SE3", 4, "translations and 4 rotations"),
        ("SE3", 8, "translations"),
        ("SE2", 3, "translations and 3 rotations"),
        ("SO3", 1, ""),
        ("SO3", 4, ""),
    ],
)
def test_what_a_grid_of_lifts_keeps_is_said(group, samples, exact):
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((6, 3 if group[-1] == "3" else 2)), keras.Input((6, 2)), keras.Input((6,), dtype="bool")]
    u = ke.layers.LieLift(group, samples)(inputs)
    u = ke.layers.LieConv(4, group, neighbors=6 * samples)(u)
    report = ke.certify(keras.Model(inputs, ke.layers.LiePooling("mean")(u)))
    assert report.verdict in ("approximate", "broken") and not report.exact, report
    assert (f"exact under {exact} (error" in report.headline) is bool(exact), report
    assert report.between.error > 1e-3


def test_functions_of_points():
    model = network(OUTPUTS["the mean vector"][0])
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2)), np.ones((2, 5), bool)]
    for layouts in ({}, {"input_layout": ["positions", "invariant", "invariant"]}):
        ke.assert_equivariant(lambda x: model(x), "SO3", arrays, output_layout="1x1", **layouts)
        assert ke.certify(lambda x: model(x), "SO3", arrays, output_layout="vectors", **layouts).exact
        with pytest.raises(AssertionError, match="The function must satisfy"):
            ke.assert_equivariant(model, "SO3", arrays, law="invariance", **layouts)
    with pytest.raises(ValueError, match='"positions" or "vectors"'):
        ke.equivariance_error(model, "SO3", arrays, output_layout="position")
    assert ke.certify(model, "SE3", output_layout="vectors").exact


def test_points_on_a_line_have_no_grid():
    points = [keras.Input((8, 1)), keras.Input((8, 3)), keras.Input((8,), dtype="bool")]
    answer = ke.layers.LiePooling("mean")(ke.layers.LieConv(4, "T1")(ke.layers.LieLift("T1", 1)(points)))
    assert ke.certify(keras.Model(points, answer), angles=0).verdict == "exact"
    moved = keras.Model(points, answer + ops.mean(points[0], axis=1))
    assert ke.certify(moved, angles=0).verdict == "broken"
