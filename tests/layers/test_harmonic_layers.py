"""Harmonic Networks beyond the catalogue: orders add up, angles between, what would break them, errors."""

# ruff: noqa: E501 (one line for each case)

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups, layers


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def run(layer, x, **kwargs):
    return ops.convert_to_numpy(layer(x, **kwargs))


def law_error(function, x, into="image", out="harmonic", group="C4"):
    y = function(x)
    errors = [function(groups.act(x, group, e, into)) - groups.act(y, group, e, out) for e in range(1, 4)]
    return max(np.linalg.norm(error) for error in errors) / np.linalg.norm(y)


def complex_conv(**options):
    return layers.HarmonicConv2D(3, 5, padding="same", dtype="float64", **options)


@pytest.mark.parametrize("orders", [(1, 1), (2, 1, 3), (0, 2, 0)])
def test_stacked_convolutions_keep_the_law(orders):
    stack = [complex_conv(max_order=order) for order in orders]

    def function(x):
        for layer in stack:
            x = layer(x)
        return ops.convert_to_numpy(x)

    assert law_error(function, draw(2, 9, 9, 2)) <= 1e-12


def test_orders_add_up():
    """The output of order 1 of a layer that sees only order 1 comes by order 2 where a second order-1 filter acts."""
    first, second = complex_conv(), complex_conv(max_order=2)

    def only(layer, x, order, out):
        """The part of the layer's output of order `out` that comes from `order` of its input."""
        mask = np.zeros(x.shape)
        mask[..., order, :, :] = 1
        return run(layer, x * mask)[..., out, :, :]

    def function(x):
        y = only(second, run(first, x), 1, 2)
        return np.stack([0 * y, 0 * y, y], axis=3)

    def as_order_one(x):
        y = only(second, run(first, x), 1, 2)
        return np.stack([0 * y, y], axis=3)

    x = draw(1, 9, 9, 1)
    assert np.abs(function(x)).max() > 1e-2
    assert law_error(function, x) <= 1e-12
    assert law_error(as_order_one, x) > 0.1


def test_summing_different_orders_breaks_the_law():
    layer = complex_conv(max_order=2)

    def mixed(x):
        y = run(layer, x)
        return y + y[..., ::-1, :, :]

    assert law_error(lambda x: run(layer, x), draw(1, 9, 9, 2)) <= 1e-12
    assert law_error(mixed, draw(1, 9, 9, 2)) > 0.1


def test_the_convolution_is_the_complex_one():
    """Against NumPy's complex arithmetic, one pair of orders at a time, phases and conjugates included."""
    layer = layers.HarmonicConv2D(2, 3, max_order=2, dtype="float64")
    x = draw(1, 3, 3, 2, 2, 1)
    y = run(layer, x)[0, 0, 0]
    kernel, phase = (ops.convert_to_numpy(w) for w in layer.weights)
    basis = layer.basis
    values = x[0, :, :, :, 0, 0] + 1j * x[0, :, :, :, 1, 0]
    for n in range(3):
        for f in range(2):
            expected = 0
            for m in range(2):
                order = abs(n - m)
                functions = basis.basis[order, 0] + 1j * basis.basis[order, 1]
                filter_ = functions @ kernel[:, 0, f] * np.exp(1j * phase[order, 0, f])
                filter_ = filter_.conj() if n < m else filter_
                expected += (filter_ * values[:, :, m].ravel()).sum()
            np.testing.assert_allclose(y[n, 0, f] + 1j * y[n, 1, f], expected, rtol=1e-12)


def test_every_phase_matters():
    """Of order-0 filters on complex input too, whose imaginary part must not be dropped."""
    layer = complex_conv(max_order=1)
    x = draw(1, 7, 7, 2, 2, 1)
    before = run(layer, x)
    for order in range(2):
        phase = ops.convert_to_numpy(layer.phase).copy()
        phase[order] += np.pi / 2
        changed = complex_conv(max_order=1)
        changed.build(x.shape)
        changed.set_weights([layer.kernel, phase])
        assert np.abs(run(changed, x) - before).max() > 0.1
    rotated = layers.HarmonicConv2D(3, 5, max_order=0, padding="same", dtype="float64")
    x = draw(1, 7, 7, 1, 2, 1)
    rotated.build(x.shape)
    magnitudes = []
    for beta in (0.0, 1.0):
        rotated.set_weights([rotated.kernel, np.full(rotated.phase.shape, beta)])
        magnitudes.append(np.linalg.norm(run(rotated, x), axis=-2))
    np.testing.assert_allclose(*magnitudes, rtol=1e-12)  # a common phase only rotates the result


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.HarmonicActivation(bias_initializer=keras.initializers.Constant(-0.5), dtype="float64"),
        lambda: layers.HarmonicBatchNormalization("relu", dtype="float64"),
        lambda: layers.HarmonicBatchNormalization(dtype="float64"),
    ],
)
def test_nonlinearities_commute_with_phases(make, training):
    x, layer = draw(2, 5, 5, 3, 2, 4), make()
    angle = 0.7

    def rotate(x):
        a, b = x[..., 0, :], x[..., 1, :]
        return np.stack([np.cos(angle) * a - np.sin(angle) * b, np.sin(angle) * a + np.cos(angle) * b], axis=-2)

    layer.build(x.shape)
    weights = layer.get_weights()
    y = run(layer, x, training=training)
    layer.set_weights(weights)
    rotated = run(layer, rotate(x), training=training)
    np.testing.assert_allclose(rotated, rotate(y), atol=1e-12)
    assert np.abs(rotated - y).max() > 0.1
    assert np.abs(y - x).max() > 0.1 or not training


def test_normalization_is_that_of_the_magnitudes():
    layer = layers.HarmonicBatchNormalization(epsilon=1e-9, momentum=0.0, dtype="float64")
    x = draw(4, 6, 6, 2, 2, 3)
    y = run(layer, x, training=True)
    size = np.linalg.norm(x, axis=-2)
    expected = (size - size.mean(axis=(0, 1, 2))) / size.std(axis=(0, 1, 2))
    np.testing.assert_allclose((y * x).sum(axis=-2) / size, expected, atol=1e-6)
    np.testing.assert_allclose(run(layer, x), y, atol=1e-6)  # moving statistics after a step with momentum 0


def test_compiled_training_is_the_plain_arithmetic():
    x = draw(2, 6, 6, 2, 2, 3)
    layer = layers.HarmonicActivation(bias_initializer="normal", dtype="float64")
    np.testing.assert_allclose(run(layer, x, training=True), run(layer, x), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_gradients_at_zero_are_finite(dtype):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    stack = [
        layers.HarmonicActivation(bias_initializer="ones", dtype=dtype),
        layers.HarmonicBatchNormalization("relu", dtype=dtype),
        layers.HarmonicMagnitude(dtype=dtype),
    ]
    for training in (False, True):
        x = tf.zeros((2, 5, 5, 2, 2, 3), dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in stack:
                y = layer(y, training=training) if "magnitude" not in layer.name else layer(y)
            loss = tf.reduce_sum(y)
        gradient = tape.gradient(loss, x)
        assert np.isfinite(y.numpy()).all()
        assert np.isfinite(gradient.numpy()).all()


def test_half_precision_does_not_overflow():
    x = np.full((1, 3, 3, 2, 2, 1), 1000.0, "float16")
    y = run(layers.HarmonicMagnitude(reduction=None, dtype="float16"), x)
    np.testing.assert_allclose(y, 1414.0, rtol=1e-3)


def smooth(size, seed=3):
    rng = np.random.default_rng(seed)
    axis = np.arange(size) - (size - 1) / 2
    image = 0.0
    for _ in range(6):
        (r, c), height = rng.uniform(-0.2, 0.2, size=2) * size, rng.normal()
        image = image + height * np.exp(-((axis[:, None] - r) ** 2 + (axis - c) ** 2) / (2 * (0.08 * size) ** 2))
    return image[None, :, :, None]


def test_other_angles_are_approximate_and_better_with_larger_kernels():
    x, errors = smooth(48), []
    for size in (3, 5, 9):
        layer = layers.HarmonicConv2D(4, size, max_order=2, padding="same", use_phase=False, dtype="float64")
        layer.build(x.shape)
        layer.set_weights([np.ones(layer.kernel.shape)])  # one profile, wider with the kernel
        y = run(layer, x)
        c16 = groups.cyclic(16)
        rotated = run(layer, groups.act(x, c16, 1, "image"))
        expected = groups.act(y, c16, 1, "harmonic")
        errors.append(np.linalg.norm(rotated - expected) / np.linalg.norm(y))
        assert np.linalg.norm(rotated - groups.act(y, c16, 2, "harmonic")) / np.linalg.norm(y) > 0.1
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 5e-3


def test_input_with_unknown_size():
    inputs = keras.Input((None, None, 2))
    x = layers.HarmonicConv2D(3, 3, max_order=2, padding="same")(inputs)
    x = layers.HarmonicBatchNormalization("relu")(layers.HarmonicActivation()(x))
    model = keras.Model(inputs, layers.HarmonicMagnitude()(layers.UpSampling2D(2)(x)))
    assert model.output_shape == (None, None, None, 3)
    assert model(draw(2, 5, 7, 2)).shape == (2, 10, 14, 3)


def test_weights_are_used_and_none_is_left_over():
    layer = layers.HarmonicConv2D(3, 1)
    layer.build((None, 5, 5, 2, 2, 4))
    assert [tuple(w.shape) for w in layer.weights] == [(1, 4, 3), (1, 4, 3)]  # 1x1: filters of order 0 only
    layer = layers.HarmonicConv2D(8, 5, num_rings=4)
    layer.build((None, 28, 28, 2, 2, 8))
    assert layer.count_params() == 640  # 2 orders, 4 rings and a phase each, 64 pairs of channels


def test_initial_variance_is_kept():
    layer = layers.HarmonicConv2D(64, 5, padding="same")
    x = draw(2, 24, 24, 2, 2, 64).astype("float32")
    ratio = run(layer, x)[:, 4:-4, 4:-4].var(axis=(0, 1, 2, 4, 5)) / x.var()
    assert (0.7 < ratio).all()
    assert (ratio < 1.4).all()


ERRORS = {
    "bias": (lambda: layers.HarmonicConv2D(1, 3, use_bias=True), "neither bias nor activation.*HarmonicActivation"),
    "activation": (lambda: layers.HarmonicConv2D(1, 3, activation="relu"), "Received: activation='relu'"),
    "square": (lambda: layers.HarmonicConv2D(1, (3, 5)), "must be square.*use kernel_size=5"),
    "order": (lambda: layers.HarmonicConv2D(1, 3, max_order=-1), "`max_order` must be an integer of at least 0"),
    "rings": (lambda: layers.HarmonicConv2D(1, 3, num_rings=0), "`num_rings` must be a positive integer"),
    "width": (lambda: layers.HarmonicConv2D(1, 3, ring_width=0), "`ring_width` must be a positive number"),
    "filters": (lambda: layers.HarmonicConv2D(0, 3), "`filters` must be a positive integer"),
    "format": (lambda: layers.HarmonicConv2D(1, 3, data_format="channels_first"), "channels_last"),
    "too small": (lambda: layers.HarmonicConv2D(1, 3, max_order=3)(draw(1, 5, 5, 1)), "Order 3 of the output.*use kernel_size=4"),
    "pointwise": (lambda: layers.HarmonicConv2D(1, 1)(draw(1, 5, 5, 1)), "Order 1 of the output.*use kernel_size=2"),
    "regular": (lambda: layers.HarmonicConv2D(1, 3)(draw(1, 5, 5, 4, 1)), r"harmonic features \(B, H, W, M\+1, 2, C\)"),
    "three parts": (lambda: layers.HarmonicActivation()(draw(1, 5, 5, 2, 3, 1)), "HarmonicActivation takes harmonic features"),
    "image": (lambda: layers.HarmonicMagnitude()(draw(1, 5, 5, 1)), "an image becomes that by HarmonicConv2D"),
    "plain": (lambda: layers.HarmonicBatchNormalization()(draw(1, 5, 5, 1)), "HarmonicBatchNormalization takes harmonic"),
    "sizes": (lambda: layers.HarmonicConv2D(1, 3, strides=2, padding="same")(draw(1, 8, 8, 1)), "loses its exact symmetry.*use size 7 or 9"),
    "epsilon": (lambda: layers.HarmonicActivation(epsilon=0), "`epsilon` must be a positive number"),
    "reduction": (lambda: layers.HarmonicMagnitude("mean"), "`reduction` must be one of"),
    "maximum": (lambda: layers.MaxPooling2D(2)(draw(1, 8, 8, 2, 2, 1)), "largest real part.*use AveragePooling2D"),
    "mirrors": (lambda: layers.AveragePooling2D(2, group="D4")(draw(1, 8, 8, 2, 2, 1)), 'no mirror images.*such as "C4"'),
    "mirrored layout": (lambda: groups.infer_layout((1, 8, 8, 2, 2, 1), "D4"), 'no action of mirrors.*such as "C4"'),
    "mirrored action": (lambda: groups.act(draw(1, 8, 8, 2, 2, 1), "D4", 1, "harmonic"), "no action of mirrors"),
    "rank": (lambda: groups.act(draw(1, 8, 8, 2, 1), "C4", 1, "harmonic"), r"\(B, H, W, M\+1, 2, C\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_remedy(name):
    function, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        function()


def test_not_strict_warns_and_builds():
    with pytest.warns(UserWarning, match="only approximately equivariant"):
        layers.HarmonicConv2D(1, 3, strides=2, padding="same", strict=False)(draw(1, 8, 8, 1))


def test_certificate_takes_the_quarter_turns():
    inputs = keras.Input((12, 12, 1))
    x = layers.HarmonicConv2D(3, 5, padding="same")(inputs)
    x = layers.HarmonicBatchNormalization("relu")(layers.HarmonicActivation()(x))
    x = layers.AveragePooling2D(2)(x)
    model = keras.Model(inputs, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = ke.certify(model)
    assert report.exact
    assert report.group == "C4"
    wrong = keras.Model(inputs, keras.layers.ReLU()(x))
    assert not ke.certify(wrong).exact


def test_logits_of_the_published_network_are_exactly_invariant():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = ke.build_from_spec("hnet_rotated_mnist", filters=2)
    finally:
        keras.config.set_dtype_policy(policy)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, size=w.shape) for w in model.get_weights()])
    assert model.compute_dtype == "float64"
    x = draw(2, 28, 28, 1)
    logits = run(model, x)
    for quarters in (1, 2, 3):
        assert (
            np.abs(run(model, np.rot90(x, quarters, axes=(1, 2)).copy()) - logits).max() <= 1e-12 * np.abs(logits).max()
        )
    assert np.abs(run(model, x[:, ::-1].copy()) - logits).max() > 1e-6 * np.abs(logits).max()  # a mirror image
