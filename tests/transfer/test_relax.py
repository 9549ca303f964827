"""Networks whose symmetry is learned: the same function to begin with, what training keeps, back to the exact one."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke

L = ke.layers
RNG = np.random.default_rng(0)


def network(kind="regular"):
    x = image = keras.Input((9, 9, 1))
    if kind == "regular":
        x = L.LiftingConv2D(2, 3, "D4", padding="same", activation="relu", name="lift")(x)
        x = L.GroupConv2D(4, 3, "D4", groups=2, padding="same", padding_mode="reflect", name="group")(x)
        x = keras.layers.GlobalAveragePooling2D()(L.GroupPooling("max")(x))
    elif kind == "volume":
        x = image = keras.Input((5, 5, 5, 1))
        x = L.LiftingConv3D(1, 3, "T", padding="same", dilation_rate=2, activation="tanh", name="lift")(x)
        x = keras.layers.GlobalAveragePooling3D()(L.GroupPooling("max")(x))
    elif kind == "harmonic":
        x = L.HarmonicMagnitude()(L.HarmonicConv2D(2, 3)(x))
    else:
        x = L.SteerableConv2D("1x0", "2x0 + 2x1", 5, "SO2", padding="same", name="steer")(x)
        x = L.NormActivation("2x0 + 2x1", "SO2")(x)
        x = L.SteerableDense("2x0 + 2x1", "3x0 + 1x1", "SO2", name="dense")(x)
        x = keras.layers.GlobalAveragePooling2D()(L.NormPooling("3x0 + 1x1", "SO2")(x))
    return keras.Model(image, keras.layers.Dense(2)(x))


def test_a_layer_is_copied_as_it_is():
    inner = L.LiftingConv2D(2, 3, "C4", activation="relu")
    x = RNG.normal(size=(1, 7, 7, 1)).astype("float32")
    before = inner(x)
    relaxed = L.Relaxed(inner)
    np.testing.assert_array_equal(relaxed(x), before)
    assert inner.activation is keras.activations.relu
    relaxed.layer.kernel.assign(0 * relaxed.layer.kernel)
    np.testing.assert_array_equal(inner(x), before)
    same = L.Relaxed.from_config(relaxed.get_config())
    assert same.activation is keras.activations.relu and same(x).shape == before.shape


@pytest.mark.parametrize(("inside", "outside"), [("float32", "mixed_bfloat16"), ("mixed_float16", "float64")])
def test_the_layer_inside_has_its_dtype(inside, outside):
    relaxed = L.Relaxed(L.LiftingConv2D(2, 3, "C4", dtype=inside), dtype=outside)
    assert relaxed(RNG.normal(size=(1, 7, 7, 1))).dtype == relaxed.compute_dtype == relaxed.layer.compute_dtype
    assert L.Relaxed.from_config(relaxed.get_config()).layer.dtype_policy.name == outside


def test_the_activation_is_judged_as_that_of_the_layer_inside():
    vectors = L.SteerableConv2D("2x0", "2x0 + 1x1", 3, group="SO2")
    with pytest.raises(ValueError, match="A pointwise activation commutes only .*use NormActivation"):
        L.Relaxed(vectors, activation="relu")
    assert L.Relaxed(vectors).activation is keras.activations.linear
    assert L.Relaxed(L.SteerableConv2D("2x0", "2xregular", 3, group="C4"), activation="relu").group.name == "C4"


def data(model, samples=4):
    return RNG.normal(size=(samples, *model.input_shape[1:])).astype("float32")


def broken(model, size=0.1):
    for layer in model.layers:
        if isinstance(layer, L.Relaxed):
            layer.residual.assign(size * RNG.normal(size=layer.residual.shape))
    return model


@pytest.mark.parametrize("kind", ["regular", "steerable", "volume"])
def test_there_and_back(kind, tmp_path):
    model = network(kind)
    relaxed, x = ke.relax(model), data(model)
    np.testing.assert_allclose(relaxed(x), model(x), atol=1e-6)
    same = ke.project(relaxed, x)
    np.testing.assert_allclose(same.model(x), model(x), atol=1e-5)
    assert all(one.kept == 1.0 and one.removed == one.gain == 0.0 for one in same.layers) and same.change < 1e-5
    broken(relaxed)
    assert np.abs(relaxed(x) - model(x)).max() > 1e-3
    folded = ke.fold(relaxed)
    assert not any(type(layer).__module__.startswith("keras_equivariant") for layer in folded.layers)
    np.testing.assert_allclose(folded(x), relaxed(x), atol=1e-5)
    if kind == "regular":
        relaxed.save(tmp_path / "relaxed.keras")
        np.testing.assert_allclose(keras.models.load_model(tmp_path / "relaxed.keras")(x), relaxed(x), atol=1e-6)
        exact = ke.project(relaxed, x)
        assert ke.certify(exact.model, group="D4", angles=0, layers=False).exact
        assert all(0 < one.kept < 1 and one.removed > 0 for one in exact.layers) and exact.change > 1e-4
        assert "symmetry kept" in str(exact) and "the outputs change by" in str(exact)
        report = ke.certify(relaxed, angles=0)
        assert not report.exact and any("symmetry kept by the kernels: lift" in note for note in report.notes)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
def test_the_bound_holds_and_is_not_idle(mode):
    image = keras.Input((5, 5, 4, 2))
    conv = L.GroupConv2D(2, 5, "C4", padding="same", padding_mode=mode, use_bias=False, name="conv")
    relaxed = broken(ke.relax(keras.Model(image, conv(image))))
    found = ke.project(relaxed)
    (row,) = found.layers
    x = RNG.normal(size=(64, 5, 5, 4, 2)).astype("float32")
    for _ in range(4):  # towards the worst input, where the padding repeats no pixel
        change = keras.ops.convert_to_numpy(relaxed(x) - found.model(x))
        sizes = np.linalg.norm(change.reshape(64, -1), axis=1) / np.linalg.norm(x.reshape(64, -1), axis=1)
        assert sizes.max() <= row.gain * (1 + 1e-5)
        x = x + 0.3 * RNG.normal(size=x.shape).astype("float32") * (sizes < sizes.max())[:, None, None, None, None]
    assert sizes.max() > 0.02 * row.gain


def test_projection_is_the_nearest():
    """What is removed is orthogonal to all that the layer can hold, and projecting twice is projecting once."""
    relaxed = broken(ke.relax(network()), 1.0)
    for layer in relaxed.layers:
        if isinstance(layer, L.Relaxed):
            kept, rest = layer.split_kernel()
            assert abs(np.sum(kept * rest)) < 1e-6 * np.sum(kept**2)
    exact = ke.project(relaxed).model
    again = ke.project(ke.relax(exact))
    np.testing.assert_allclose(again.model.get_layer("group").kernel, exact.get_layer("group").kernel, atol=1e-6)


def test_training_keeps_symmetry_where_the_data_have_it():
    """Targets of a filter that looks right: the symmetry goes; a large penalty keeps it."""
    x = RNG.normal(size=(64, 7, 7, 1)).astype("float32")
    y = x[:, 1:-1, 2:] - x[:, 1:-1, :-2]

    def trained(penalty):
        keras.utils.set_random_seed(0)
        image = keras.Input((7, 7, 1))
        lifted = L.LiftingConv2D(1, 3, "C4", use_bias=False, name="lift")(image)
        relaxed = ke.relax(keras.Model(image, L.GroupPooling("mean")(lifted)), penalty=penalty)
        relaxed.compile(keras.optimizers.Adam(0.05), "mse")
        relaxed.fit(x, y, batch_size=64, epochs=40, verbose=0)
        return relaxed.evaluate(x, y, verbose=0), relaxed.get_layer("lift").symmetry_kept

    (free, lost), (held, kept) = trained(1e-4), trained(10.0)
    assert lost < 0.6 < 0.95 < kept and free < 0.1 * held


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ke.relax(network(), layers=["no"]), "that can be relaxed: lift, group"),
        (lambda: ke.relax(network("harmonic")), "What is relaxed are.*without any.*in place of harmonic"),
        (lambda: ke.project(network()), "has relaxed layers.*use ke.relax"),
        (lambda: L.Relaxed(keras.layers.Dense(2)), "Relaxed takes a lifting"),
        (lambda: L.Relaxed(L.LiftingConv2D(1, 3, "C4"), penalty=-1), "`penalty` must be"),
        (lambda: L.Relaxed(L.LiftingConv2D(1, 3, "C4"), penalty="much"), "`penalty` must be"),
        (lambda: L.Relaxed(L.GroupDepthwiseConv2D(3, "C4")), "Relaxed takes a lifting"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_some_layers():
    for layers in (["group"], "group"):
        relaxed = ke.relax(network(), layers=layers)
        kinds = [type(relaxed.get_layer(name)).__name__ for name in ("lift", "group")]
        assert kinds == ["LiftingConv2D", "Relaxed"]


def test_a_softmax_over_fields_is_folded():
    """It sees the fields of one element of the group alone, and not all channels."""
    image = keras.Input((7, 7, 1))
    x = L.GroupConv2D(3, 3, "C4", activation="softmax")(L.LiftingConv2D(2, 3, "C4")(image))
    relaxed = broken(ke.relax(keras.Model(image, x)))
    x = data(relaxed)
    np.testing.assert_allclose(ke.fold(relaxed)(x), relaxed(x), atol=1e-6)
