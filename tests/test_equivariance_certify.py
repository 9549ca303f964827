"""certify on Keras models: verdicts, precisions, the layer that breaks, controls, files."""

import json
import sys

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.equivariance import Report, certify, twin

K, L = keras.layers, ke.layers
needs_float64 = pytest.mark.skipif(not twin.has_float64(), reason="float64 is not to be had on this device")


def invariant_net(group="C4", size=12, middle=None, head=(), **kwargs):
    """A small classifier; `middle` is a layer between its two convolutions."""
    inputs = keras.Input((size, size, 1))
    x = L.LiftingConv2D(3, 3, group=group, padding="same", name="lift")(inputs)
    x = K.BatchNormalization()(x)
    x = K.ReLU(name="relu")(x)
    x = x if middle is None else middle(x)
    x = L.GroupConv2D(4, 3, group=group, padding="same", name="conv", **kwargs)(x)
    x = L.GroupPooling("max", name="over_group")(x)
    x = K.GlobalMaxPooling2D(name="over_space")(x)
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x, name="net")


class RowShift(keras.layers.Layer):
    """Moves all features one pixel to the right: breaks rotations, keeps translations."""

    def call(self, x):
        return keras.ops.roll(x, 1, axis=2)


@pytest.fixture(autouse=True, scope="module")
def seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def report():
    model = invariant_net("D4")
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.uniform(0.1, 1, w.shape) * rng.choice([-1, 1], w.shape[-1:]) ** (w.ndim > 1) for w in model.get_weights()]
    )
    return certify(model, angles=8)


@pytest.fixture(scope="module")
def broken_report():
    return certify(invariant_net(middle=RowShift(name="shift")), angles=4)


@needs_float64
def test_an_equivariant_model_is_exact_in_both_precisions(report):
    assert report.verdict == "exact" and report.exact and report.group == "D4" and report.law == "invariance"
    assert report.max_error < 1e-14
    assert [p.dtype for p in report.precisions] == ["float64", "float32"]
    float64, float32 = (p.error for p in report.precisions)
    assert float64 < 1e-14 < 1e-9 < float32 < 1e-5
    assert [e.name for e in report.elements] == list(ke.groups.get("D4").element_names)
    assert report.response > 1e-3 and min(e.move for e in report.elements[1:]) > 0.1
    assert report.raise_if_broken() is report and report.broken_layer is None
    assert all(layer.verdict == "exact" and layer.error < 1e-14 for layer in report.layers)
    assert [layer.layout for layer in report.layers][-3:] == ["regular", "image", "invariant"]


def test_the_broken_layer_is_named(broken_report):
    assert broken_report.verdict == "broken" and not broken_report.exact
    assert broken_report.broken_layer.name == "shift" and broken_report.broken_layer.kind == "RowShift"
    before = [layer.verdict for layer in broken_report.layers][:3]
    assert before == ["exact"] * 3 and broken_report.max_error > 1e-4
    assert "it breaks at layer 'shift' (RowShift)" in str(broken_report)
    with pytest.raises(AssertionError, match="net under C4: BROKEN"):
        broken_report.raise_if_broken()


def test_a_broken_layer_inside_an_inner_model_is_named():
    inner = keras.Sequential([K.ReLU(), RowShift(name="shift"), K.ReLU(name="after")], name="inner")
    report = certify(invariant_net(middle=inner), angles=0)
    assert report.broken_layer.name == "inner/shift"
    fine = certify(invariant_net(middle=keras.Sequential([K.ReLU()], name="inner")), angles=0)
    assert fine.exact and "inner" in [layer.name for layer in fine.layers]


@pytest.mark.filterwarnings("ignore:.*loses its exact symmetry")
def test_a_stride_on_an_even_size_is_explained():
    report = certify(invariant_net(strides=2, strict=False), angles=0)
    assert report.broken_layer.name == "conv"
    assert any("does not cover the 12 pixels" in reason for reason in report.reasons)
    assert certify(invariant_net(strides=2, size=13), angles=0).exact


def test_a_plain_network_is_broken():
    plain = keras.Sequential([keras.Input((9, 9, 2)), K.Conv2D(4, 3), K.ReLU(), K.GlobalMaxPooling2D()])
    with pytest.raises(ValueError, match='group="D4"'):
        certify(plain)
    assert certify(plain, "C4", angles=0).verdict == "broken"
    assert certify(plain, "C2", angles=0).broken_layer.kind == "Conv2D"


def test_an_equivariant_output_shows_what_happens_without_the_action():
    inputs = keras.Input((None, None, 2))
    features = L.LiftingConv2D(2, 3, group="C4")(inputs)
    report = certify(keras.Model(inputs, features), angles=24, size=10)
    assert report.exact and report.law == "equivariance" and report.outputs == ("(8, 8, 4, 2) regular",)
    assert min(e.control for e in report.elements[1:]) > 0.3
    assert [a.degrees for a in report.angles] == [0, 90, 180, 270]  # a group axis rotates by the group's rotations only
    assert any("at 10: exact" in note and "at 11: exact" in note for note in report.notes)
    asked = certify(keras.Model(inputs, features), size=10, law="invariance", angles=0, layers=False)
    assert asked.verdict == "broken"


def test_cosets_keep_their_layout():
    inputs = keras.Input((8, 8, 1))
    x = L.LiftingConv2D(2, 3, group="D4")(inputs)
    x = L.GroupPooling("max", group="D4", subgroup="C2")(x)
    report = certify(keras.Model(inputs, x), angles=0)
    assert report.exact and report.outputs == ("(6, 6, 4, 2) quotient(C2)",)


@needs_float64
def test_a_finer_group_is_approximate_between_the_pixels():
    report = certify(invariant_net("C8", size=16), angles=[45, 90])
    assert report.verdict == "approximate" and not report.exact
    assert [e.interpolated for e in report.elements] == [False, True] * 4
    assert report.max_error < 1e-14 < 1e-3 < report.precisions[0].interpolated_error < 0.25
    assert [a.degrees for a in report.angles] == [45, 90]
    assert report.angles[1].error < 1e-5 < report.angles[0].error
    assert report.angles[1].interpolation == 0 < report.angles[0].interpolation < 0.1
    assert any(layer.interpolated_error > 1e-3 for layer in report.layers)
    only_interpolated = certify(invariant_net("C3", size=16), angles=0)
    assert only_interpolated.verdict == "approximate" and only_interpolated.precisions[0].error is None
    assert only_interpolated.max_error == only_interpolated.precisions[0].interpolated_error


@pytest.mark.parametrize(
    "head, reason",
    [
        (lambda: [K.Lambda(lambda x: x * 0)], "zero everywhere"),
        (lambda: [K.Lambda(lambda x: x * 0 + 1)], "does not depend on the input"),
        (lambda: [K.Lambda(lambda x: x / 0.0)], "not finite"),
    ],
)
def test_a_constant_certifies_nothing(head, reason):
    report = certify(invariant_net(head=head()), angles=0)
    assert report.verdict == "vacuous" and not report.exact
    assert any(reason in why for why in report.reasons)
    with pytest.raises(AssertionError, match="VACUOUS"):
        report.raise_if_broken()


def test_symmetric_inputs_and_the_trivial_group_certify_nothing():
    report = certify(invariant_net(), inputs=np.ones((1, 12, 12, 1), "float32"), angles=0)
    assert report.verdict == "vacuous" and "hardly change under r90" in report.reasons[0]
    assert certify(invariant_net("C1"), angles=0).verdict == "vacuous"


def test_an_unknown_layout_is_not_blamed_if_the_law_holds_behind_it():
    inputs = keras.Input((6, 6, 1))
    x = L.LiftingConv2D(2, 3, group="C4")(inputs)
    x = K.Reshape((16, 8), name="aside")(x)
    x = K.Reshape((4, 4, 4, 2), name="back")(x)
    x = K.GlobalAveragePooling3D()(x)
    report = certify(keras.Model(inputs, x), angles=0)
    assert report.exact
    verdicts = {layer.name: layer.verdict for layer in report.layers}
    assert verdicts["aside"] == "unknown layout" and verdicts["back"] == "exact"


@needs_float64
def test_float64_clone_keeps_every_kind_of_layer():
    inputs = keras.Input((9, 9, 1))
    normalize = K.Normalization(axis=None)
    normalize.adapt(100 + 20 * np.random.default_rng(0).normal(size=(8, 9, 9, 1)))
    x = normalize(inputs)
    shared = K.Conv2D(4, 1, activation="tanh")
    branch = keras.Sequential([K.Conv2D(4, 1), keras.Sequential([K.BatchNormalization()])], name="branch")
    x = shared(x) + branch(x)
    x = K.TimeDistributed(K.Dense(4))(x)
    x = keras.ops.maximum(x, 0.0)
    x = K.Dropout(0.5)(x)
    x = K.Lambda(lambda t: t * 2)(x)
    model = keras.Model(inputs, {"max": K.GlobalMaxPooling2D()(x), "map": x})
    model.compile("adam", "mse")
    report = certify(model, "D4", angles=0)
    assert report.exact
    if keras.backend.backend() == "tensorflow":
        assert report.precisions[0].dtype == "float64", report.precisions
    assert report.response > 0.05  # the inputs lie in the range that the Normalization layer expects
    assert keras.config.dtype_policy().name == "float32"


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.lift = L.LiftingConv2D(2, 3, group="C4")
        self.pool = L.GroupPooling("max")

    def call(self, x):
        return self.pool(self.lift(x))


class Opaque(Subclassed):
    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("numbers are needed here")
        return super().call(x)


@needs_float64
def test_a_subclassed_model_is_followed():
    with pytest.raises(ValueError, match="input shape is not known; call it on an array first, or pass inputs="):
        certify(Subclassed())
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    report = certify(Subclassed(), inputs=x)
    assert report.exact and report.group == "C4" and len(report.layers) == 2
    assert [p.dtype for p in report.precisions] == ["float64", "float32"] and report.max_error < 1e-14
    nested = keras.Sequential([keras.Input((8, 8, 1)), Subclassed()])
    report = certify(nested, angles=0)
    assert report.exact and [layer.kind for layer in report.layers] == ["LiftingConv2D", "GroupPooling"]


@needs_float64
def test_a_model_that_cannot_be_followed_is_certified_in_float32_alone():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    report = certify(Opaque(), inputs=x)
    assert report.exact and report.group == "C4" and not report.layers
    (why,) = [p.unavailable for p in report.precisions if p.unavailable]
    assert "raise TypeError" in why and "numbers are needed here" in why
    report = certify(keras.Sequential([keras.Input((8, 8, 1)), Opaque()]), angles=0)
    assert report.precisions[-1].unavailable and report.exact
    assert [layer.name for layer in report.layers] == ["subclassed"]


class Unclonable(keras.layers.Layer):
    def __init__(self, required, **kwargs):
        super().__init__(**kwargs)

    def call(self, x):
        return x * 2


@needs_float64
def test_why_there_is_no_float64_is_said():
    report = certify(invariant_net(middle=Unclonable(object())), angles=0)
    assert "could not be cloned" in report.precisions[-1].unavailable and "get_config" in str(report)
    assert report.exact and report.layers

    class Counted(keras.layers.Layer):
        made = 0

        def build(self, shape):
            Counted.made += 1
            self.factor = float(Counted.made)

        def call(self, x):
            return x * self.factor

    changed = certify(invariant_net(middle=Counted()), angles=0)
    assert "do not describe all of it" in changed.precisions[-1].unavailable

    class Jumping(keras.layers.Layer):
        """Which digit stands in the eighth place is a matter of rounding."""

        def call(self, x):
            return keras.ops.sin(1e8 * x)

    jumping = certify(invariant_net(middle=Jumping()), angles=0)
    assert "rounding decides a comparison" in jumping.precisions[-1].unavailable


@needs_float64
def test_mixed_precision_is_judged_by_its_own_tolerance():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = invariant_net()
    finally:
        keras.config.set_dtype_policy("float32")
    report = certify(model, angles=0)
    assert [(p.dtype, p.tolerance) for p in report.precisions] == [("float64", 1e-12), ("bfloat16", 0.1)]
    assert report.exact and report.precisions[0].error < 1e-14 and report.response > 1e-3


@needs_float64
def test_rounding_beyond_the_tolerance_is_not_called_broken():
    report = certify(invariant_net(), angles=0, tolerance={"float32": 1e-12})
    assert report.verdict == "approximate" and "float32 rounds by more" in report.reasons[0]


def test_backends_that_round_to_float32_are_not_blamed_on_the_model():
    inputs = keras.Input((8, 8, 1))
    x = L.GroupPooling("max")(L.LiftingConv2D(3, 3, group="C4")(inputs))
    report = certify(keras.Model(inputs, K.GlobalAveragePooling2D()(x)), angles=0)
    assert report.exact and all(layer.verdict == "exact" for layer in report.layers)
    if not twin.rounds_to_float32():
        assert report.max_error < 1e-14
    elif twin.has_float64():
        assert "Keras rounds some operations to float32" in report.precisions[-1].unavailable


@needs_float64
def test_functions_and_layers():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    report = certify(np.tanh, "D4", x, angles=0)
    assert report.exact and [p.dtype for p in report.precisions] == ["float64"]
    single = certify(lambda x: np.tanh(x).astype("float32"), "D4", x, angles=0, name="artifact")
    assert single.model == "artifact" and not single.notes and report.model == "tanh"
    assert single.exact and [p.dtype for p in single.precisions] == ["float32", "float64"]
    assert "own precision" in single.precisions[1].unavailable
    assert certify(lambda x: np.roll(x, 1, 1), "D4", x, angles=0).verdict == "broken"
    layer = certify(L.LiftingConv2D(2, 3, group="C4"), inputs=x.astype("float32"), angles=0)
    assert layer.exact and layer.precisions[0].dtype == "float64"
    with pytest.raises(ValueError, match="pass inputs="):
        certify(np.tanh, "D4")


def test_several_inputs_and_outputs():
    image, scale = keras.Input((8, 8, 1), name="image"), keras.Input((1,), name="scale")
    x = K.Multiply()([L.GroupPooling("max")(L.LiftingConv2D(2, 3, group="C4")(image)), K.Reshape((1, 1, 1))(scale)])
    model = keras.Model({"image": image, "scale": scale}, [x, K.GlobalMaxPooling2D()(x)])
    report = certify(model, angles=4)
    assert report.exact and len(report.inputs) == 2 and len(report.outputs) == 2 and len(report.angles) == 4
    broken = keras.Model({"image": image, "scale": scale}, [x, K.Flatten()(x)])
    assert certify(broken, angles=0).verdict == "broken"


def test_inputs_that_cannot_be_made():
    inputs = keras.Input((8, 10, 1))
    oblong = keras.Model(inputs, K.GlobalMaxPooling2D()(inputs))
    with pytest.raises(ValueError, match="must have one size.*such as C2 or D2"):
        certify(oblong, "C4")
    assert certify(oblong, "D2", angles=0).exact
    tokens = keras.Input((8, 8, 1), dtype="int32")
    with pytest.raises(ValueError, match="pass inputs="):
        certify(keras.Model(tokens, tokens), "C4")
    pixels = keras.Input((8, 8, 1), dtype="uint8")
    scaled = K.Rescaling(1 / 255)(pixels)
    assert certify(keras.Model(pixels, K.GlobalAveragePooling2D()(scaled)), "C4", angles=8).exact


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dtypes": ("float16",)}, "`dtypes` must name"),
        ({"tolerance": 2.0}, "`tolerance` must be a number from 0 to 1"),
        ({"tolerance": {"float8": 0.1}}, "`tolerance` must be"),
        ({"angles": -1}, "`angles` must be"),
        ({"angles": 2.5}, "`angles` must be"),
        ({"angles": "all"}, "`angles` must be"),
        ({"angles": [0, "90"]}, "`angles` must be"),
        ({"tolerance": "small"}, "`tolerance` must be a number"),
        ({"samples": 1.5}, "`samples` must be a positive integer"),
        ({"size": 0}, "`size` must be a positive integer"),
        ({"seed": -1}, "`seed` must be an integer from 0"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"law": "symmetry"}, "`law` must be"),
        ({"inputs": np.zeros((2, 5))}, 'all "invariant"'),
    ],
)
def test_wrong_arguments_say_what_is_right(arguments, message):
    with pytest.raises(ValueError, match=message):
        certify(invariant_net(), **arguments)


def test_layers_are_measured_on_generators():
    from keras_equivariant.equivariance.localize import _generators

    for name, expected in (("D4", ["r90", "m"]), ("C8", ["r90", "r45"]), ("C4", ["r90"]), ("C3", ["r120"])):
        group = ke.groups.get(name)
        assert [group.element_names[e] for e in _generators(group)] == expected
        assert len(group.generated_by(_generators(group))) == group.order


def test_the_same_seed_gives_the_same_report():
    model = invariant_net()
    first, second, other = (certify(model, angles=3, seed=seed) for seed in (1, 1, 2))
    assert first.response == second.response != other.response


def test_the_report_survives_json(report, broken_report, tmp_path):
    vacuous = certify(invariant_net(head=[K.Lambda(lambda x: x * 0)]), angles=3)
    for kind in (report, broken_report):
        kind.save(tmp_path / "certificate.json")
        assert Report.load(tmp_path / "certificate.json") == kind
        values = json.loads((tmp_path / "certificate.json").read_text(encoding="utf-8"))
        assert values["exact"] is kind.exact and values["max_error"] == kind.max_error
    vacuous.save(tmp_path / "certificate.json")  # nan is no JSON
    assert str(Report.load(tmp_path / "certificate.json")) == str(vacuous)
    with pytest.raises(AttributeError):
        report.verdict = "exact"


@needs_float64
def test_the_table_reads_well(report):
    lines = str(report).splitlines()
    assert lines[0] == report.headline and lines[0].startswith("net under D4: EXACT, largest error ")
    assert lines[1] == "law f(gx) = f(x); in (12, 12, 1) image; out (4,) invariant"
    assert lines[3].split() == ["element", "action", "float64", "float32", "verdict"]
    assert any(line.startswith("8 angles of rotation, approximate: worst error") for line in lines)


def test_plot(report, broken_report, tmp_path):
    for i, kind in enumerate((report, broken_report)):
        kind.plot(tmp_path / f"{i}.png")
        content = (tmp_path / f"{i}.png").read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 20_000


def test_plot_says_how_to_install_matplotlib(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "keras-equivariant\[train\]"'):
        report.plot(tmp_path / "0.png")
