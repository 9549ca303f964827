"""A certificate says exact of what is exact, broken of what is broken, and its numbers bear it out."""

import json

import keras
import numpy as np
import pytest
from keras import layers as K
from small_specs import SMALL

import keras_equivariant as ke
from keras_equivariant.equivariance import Report, certify, equivariance_error
from keras_equivariant.equivariance.measure import Measurement, Part
from keras_equivariant.equivariance.report import APPROXIMATE, BROKEN, EXACT, VACUOUS
from keras_equivariant.equivariance.verdict import LARGEST_APPROXIMATE, TOLERANCE, judge, tolerances_by_dtype
from keras_equivariant.layers import GroupPooling, LiftingConv2D, NormPooling, SteerableConv2D

pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def vectors(group="C4", size=9, head=()):
    """A vector of each image."""
    x = image = keras.Input((size, size, 1))
    x = SteerableConv2D("1x0", "4x0 + 2x1", 3, group, padding="same")(x)
    x = SteerableConv2D("4x0 + 2x1", "1x1", 3, group, padding="same")(x)
    for layer in head or [K.GlobalAveragePooling2D()]:
        x = layer(x)
    return keras.Model(image, x)


def test_a_vector_output_is_a_vector():
    report = certify(vectors(), angles=0)
    assert report.exact and report.outputs == ("(2,) 1x1",) and report.law == "equivariance", str(report)
    assert all(layer.verdict == "exact" for layer in report.layers)
    assert certify(vectors(), law="invariance", angles=0).verdict == "broken"


def test_inside_another_model_too():
    inner = vectors()
    image = keras.Input((9, 9, 1))
    assert certify(keras.Model(image, inner(image)), angles=0).outputs == ("(2,) 1x1",)


def test_an_input_of_a_field_type():
    field = keras.Input((9, 9, 2))
    x = NormPooling("1x1", "C4")(SteerableConv2D("1x1", "1x1", 3, "C4")(field))
    report = certify(keras.Model(field, K.GlobalAveragePooling2D()(x)), angles=0)
    assert report.exact and report.inputs == ("(9, 9, 2) 1x1",)
    assert certify(keras.Model(field, x), input_layout="image", angles=0).verdict == "broken"


def test_field_types_in_words():
    model, x = vectors(), np.random.default_rng(0).normal(size=(2, 9, 9, 1)).astype("float32")
    assert certify(model, output_layout="1x1", angles=0).exact
    assert certify(lambda a: model(a), "C4", x, output_layout="1x1", angles=0, tolerance=1e-4).exact
    assert equivariance_error(model, "C4", x, output_layout="1x1").max_exact < 1e-4
    assert equivariance_error(vectors("SO2"), "SO2", x, output_layout="1x1", elements="exact").max_exact < 1e-4
    with pytest.raises(ValueError, match='A layout is one of .*"quotient\\(H\\)" or a field type on C4.*"1x7x"|1x7x'):
        certify(model, output_layout="1x7x", angles=0)


@pytest.mark.parametrize(
    ("heads", "exact"),
    [
        ([K.GlobalAveragePooling2D], True),
        ([lambda: NormPooling("1x1", "C4"), K.GlobalAveragePooling2D, lambda: K.Dense(3)], True),
        ([lambda: K.Rescaling(2.0)], True),
        ([K.ReLU], False),
        ([K.GlobalMaxPooling2D], False),
    ],
    ids=["vectors", "norms", "fields", "parts", "largest"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_frames_one_by_one(heads, exact, nested):
    layers = [SteerableConv2D("1x0", "1x1", 3, "C4"), *(head() for head in heads)]
    x = frames = keras.Input((3, 9, 9, 1))
    for layer in [keras.Sequential([keras.Input((9, 9, 1)), *layers])] if nested else layers:
        x = K.TimeDistributed(layer)(x)
    report = certify(keras.Model(frames, x), angles=0, layers=False)
    assert report.verdict == ("exact" if exact else "broken"), str(report)


def test_an_image_of_which_a_row_is_taken_is_no_sequence_of_frames():
    class Row(keras.Model):
        def __init__(self):
            super().__init__()
            self.lift, self.pool = LiftingConv2D(2, 3, "C4"), GroupPooling("max")

        def call(self, x):
            means = keras.ops.mean(self.pool(self.lift(x)), axis=(1, 2))
            return means * keras.ops.mean(x[:, 0], axis=(1, 2))[:, None]

    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    model = Row()
    model(x)
    assert certify(model, "C4", x, angles=0).verdict == "broken"


def test_errors_are_relative_to_the_features_not_to_a_mean_that_cancels():
    class Balanced(K.Layer):
        """Features whose mean is nearly nothing."""

        def call(self, x):
            return x - keras.ops.mean(x, axis=(1, 2), keepdims=True) * (1 - 1e-6)

    for head, exact in ((K.ZeroPadding2D(1), True), (K.ZeroPadding2D(((1, 0), (0, 0))), False)):
        x = image = keras.Input((8, 8, 1))
        x = Balanced()(head(GroupPooling("max")(LiftingConv2D(2, 3, "C4")(x))))
        model = keras.Model(image, [K.GlobalAveragePooling2D()(x), x])
        assert certify(model, angles=0).exact == exact
    nothing = keras.Model(image, K.GlobalAveragePooling2D()(x - keras.ops.mean(x, axis=(1, 2), keepdims=True)))
    assert certify(nothing, angles=0).verdict == "vacuous"


@pytest.mark.parametrize(
    "layer",
    [K.UpSampling2D(2, interpolation="bilinear"), K.Resizing(12, 12), K.CenterCrop(12, 12)],
    ids=["up", "resize", "crop"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_layers_that_compute_in_float32_are_judged_in_float32(layer, nested):
    layer = type(layer).from_config(layer.get_config())
    image = keras.Input((8, 8, 1))
    x = GroupPooling("max")(LiftingConv2D(2, 3, "C4", padding="same")(image))
    inner = keras.Input((8, 8, 2))
    x = keras.Model(inner, K.ReLU()(layer(inner)))(x) if nested else layer(x)
    report = certify(keras.Model(image, K.Conv2D(2, 1)(x)), angles=0)
    assert report.exact and "computes in float32 whatever its dtype" in report.precisions[-1].unavailable, str(report)
    assert layer.name in report.precisions[-1].unavailable
    broken = keras.Model(image, K.Lambda(lambda t: t * (1 + 1e-3 * np.arange(16)[:, None]))(K.UpSampling2D(2)(image)))
    assert certify(broken, "C4", angles=0).verdict == "broken"


def test_float64_errors_of_the_size_of_float32_are_not_excused():
    image = keras.Input((8, 8, 1))
    x = GroupPooling("max")(LiftingConv2D(2, 3, "C4", padding="same")(image))
    x = K.Lambda(lambda t: t * keras.ops.cast(1 + 1e-8 * np.arange(8)[:, None], t.dtype))(x)
    assert certify(keras.Model(image, x), dtypes=("float64",), angles=0).verdict == "broken"


def test_between_the_rotations_of_the_grid_both_numbers_are_said(tmp_path):
    model = vectors("SO2", size=15, head=[NormPooling("1x1", "SO2"), K.GlobalAveragePooling2D()])
    report = certify(model, angles=8)
    assert report.grid_group == "C4" and report.continuous and report.grid_error < 1e-12 < 1e-4 < report.between.error
    for number in (report.grid_error, report.between.error):
        assert f"{number:.2g}" in report.headline
    assert "exact under C4" in report.headline and report.headline == str(report).splitlines()[0]
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["grid_error"] == report.grid_error and saved["between_error"] == report.between.error
    assert saved["headline"] == report.headline == Report.load(tmp_path / "report.json").headline


def test_a_continuous_group_that_fails_between_is_broken_by_that_number():
    image = keras.Input((15, 15, 1))
    corners = np.zeros((15, 15, 1))
    corners[3, 3] = corners[3, 11] = corners[11, 3] = corners[11, 11] = 1.0
    x = SteerableConv2D("1x0", "1x0", 3, "SO2", padding="same")(image)
    x = K.Lambda(lambda t: keras.ops.sum(t * keras.ops.cast(corners, t.dtype), axis=(1, 2)))(x)
    report = certify(keras.Model(image, x), angles=8)
    assert report.verdict == "broken" and report.grid_error < 1e-12 and report.max_error > LARGEST_APPROXIMATE
    assert "BROKEN, exact under C4" in report.headline and f"{report.between.error:.2g}" in report.headline


def measurement(rng, elements, dtype):
    norm = float(10.0 ** rng.uniform(-3, 3)) if rng.random() > 0.05 else 0.0
    law = (10.0 ** rng.uniform(-18, 1, size=(1, elements))) ** 2 * norm
    if rng.random() < 0.5:
        law *= 1e-30
    control, change, finite = law[0] + rng.random(elements), norm * rng.random(), bool(rng.random() > 0.03)
    return Measurement((2, 4), dtype, ["invariant"], law, control, norm, 8, change, finite)


def judged(rng):
    group = ke.groups.get(str(rng.choice(["C4", "D4", "C8", "C3", "C2", "C1"])))
    continuous = group.name == "C8" and rng.random() < 0.5
    dtypes = [d for d in ("float64", "float32") if rng.random() < 0.8] or ["float32"]
    tolerances = tolerances_by_dtype(None if rng.random() < 0.8 else float(10.0 ** rng.uniform(-14, -1)))
    measured = {}
    for dtype in dtypes:
        parts = []
        for interpolated in (False, True):
            elements = [e for e in range(group.order) if (e in group.grid_elements) != interpolated]
            if elements:
                moves = np.where(np.array(elements) == 0, 0.0, rng.uniform(0, 1, len(elements)))
                parts.append(Part(elements, interpolated, [measurement(rng, len(elements), dtype)], moves))
        measured[dtype] = parts
    fields = judge(group, measured, {}, tolerances, (), {})
    name = "SO2" if continuous else group.name
    grid = "C4" if continuous else ""
    return Report("net", name, "invariance", (), (), continuous=continuous, grid_group=grid, **fields)


def test_verdict_and_numbers_never_contradict_each_other():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(3000):
        report = judged(rng)
        seen.add(report.verdict)
        best = report.precisions[0]
        if report.verdict == EXACT:
            assert all(not p.error > p.tolerance and p.interpolated_error is None for p in report.precisions)
            assert report.max_error <= best.tolerance
        elif report.verdict == APPROXIMATE:
            known = [e for p in report.precisions for e in (p.error, p.interpolated_error) if e is not None]
            assert max(known) <= LARGEST_APPROXIMATE and (best.error is None or best.error <= best.tolerance)
        elif report.verdict == BROKEN:
            assert report.max_error > min(best.tolerance, LARGEST_APPROXIMATE)
            if best.error is not None and best.error <= best.tolerance:
                assert report.max_error > LARGEST_APPROXIMATE
                assert f"{report.max_error:.2g}" in report.headline and "exact under" in report.headline
        if report.verdict in (EXACT, BROKEN) and "exact under" not in report.headline:
            assert f"error {report.max_error:.2g}" in report.headline or report.max_error == 0, report.headline
        json.dumps(report.to_dict(), allow_nan=False)
    assert seen == {EXACT, APPROXIMATE, BROKEN, VACUOUS} and TOLERANCE["float64"] == 1e-12


@pytest.mark.parametrize("seed", [0, 2])
def test_amplified_rounding_is_not_called_broken(seed):
    """Frames along nearly equal axes amplify rounding: in float64 by 1e-12, and as much more in float32."""
    keras.utils.set_random_seed(seed)
    model = ke.build_from_spec("lieconv_dipole", **SMALL["lieconv_dipole"])
    report = ke.certify(model, layers=False)
    assert report.verdict == "approximate"
    assert report.grid_error < 2e-8 * max(p.error for p in report.precisions)


@pytest.mark.parametrize("offset, verdict", [(0.0, "exact"), (1e3, "exact"), (1e5, "approximate")])
def test_float32_may_round_as_its_outputs_do(offset, verdict):
    """A sum that nearly cancels rounds in float32 by 1e-8 times the offset, more than 1e-5: the law is exact."""
    image = keras.Input((6, 6, 1))
    large = keras.layers.Rescaling(1.0, offset)(keras.layers.Conv2D(3, 1)(image))
    pooled = keras.layers.AveragePooling2D(2)(large)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0, -offset)(pooled)))
    report = ke.certify(model, "C4")
    assert report.grid_error < 1e-12 * max(1.0, offset) and report.verdict == verdict
    in_float32 = next(p for p in report.precisions if p.dtype == "float32")
    assert (in_float32.tolerance > 1e-5) == (offset > 0)


def test_a_small_violation_is_no_rounding():
    image = keras.Input((6, 6, 1))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    fault = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Add()([mean, keras.layers.Rescaling(1e-9)(fault)]))
    assert ke.certify(model, "C4").verdict == "broken"
