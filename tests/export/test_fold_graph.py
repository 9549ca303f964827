"""Folding whole graphs: our layers, normalization merged into convolutions, structure, names, dtypes, errors."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from export_models import classes, lifted, random_inputs, randomize, relative_error, small_cnn
from keras import layers, ops

import keras_equivariant as ke
from keras_equivariant.export.folding.fold import fold


@pytest.mark.parametrize("group", ["C1", "C4", "D4", "C8"])
def test_network_becomes_the_plain_cnn(group, check_fold):
    folded = check_fold(small_cnn(group))
    assert classes(folded) == [
        *("Conv2D", "ReLU", "MaxPooling2D", "Conv2D", "Activation", "Conv2D"),
        *("Reshape", "GlobalAveragePooling2D", "Dense"),
    ]
    assert folded.count_params() > 0 and not folded.trainable_weights


@pytest.mark.parametrize("size", [12, None])
@pytest.mark.parametrize(
    "layer",
    [
        ke.layers.GroupConv2D(2, 3, group="D4", padding="same", padding_mode="circular"),
        ke.layers.GroupConv2D(2, 3, group="D4", padding="same", padding_mode="reflect"),
        ke.layers.GroupConv2D(6, 3, group="D4", groups=3, dilation_rate=2),
        ke.layers.GroupConv2D(2, 1, group="D4", basis="steerable"),
        ke.layers.GroupConv2DTranspose(2, 2, group="D4", strides=2),
        ke.layers.GroupPooling("max"),
        ke.layers.GroupPooling("mean"),
        ke.layers.GroupPooling("max", group="D4", subgroup="C4"),
        ke.layers.GroupPooling("mean", group="D4", subgroup="C2"),
        ke.layers.MaxPooling2D(2, antialias=True),
        ke.layers.AveragePooling2D(2),
        ke.layers.UpSampling2D(2),
        ke.layers.UpSampling2D(2, interpolation="bilinear"),
        ke.layers.BatchNormalization(activation="relu"),
    ],
    ids=lambda layer: getattr(layer, "name", layer),
)
def test_each_of_our_layers(layer, size, check_fold, tmp_path):
    if size is None and getattr(layer, "antialias", False):
        pytest.skip("antialiased pooling needs a known size")
    image, x = lifted((size, size, 1), group="D4", activation="relu")
    layer = type(layer).from_config(layer.get_config())
    model = keras.Model(image, layer(x))
    folded = check_fold(model)
    folded.save(tmp_path / "folded.keras")
    reloaded = keras.models.load_model(tmp_path / "folded.keras")
    inputs = random_inputs(model)
    assert relative_error(reloaded(inputs), folded(inputs)) == 0


def test_sizes_stay_dynamic(check_fold):
    image, x = lifted((None, None, 2))
    y = layers.Dense(20)(layers.LayerNormalization()(x))
    z = ke.layers.GroupConv2D(2, 3, group="C4")(layers.Concatenate()([x, layers.ReLU()(y)]))
    model = keras.Model(image, [ke.layers.GroupPooling("max")(z), z])
    folded = check_fold(model)
    inputs = np.random.default_rng(0).normal(size=(1, 7, 10, 2)).astype("float32")
    assert relative_error(folded(inputs), model(inputs)) <= 1e-5


def test_structures_of_inputs_and_outputs(check_fold):
    left, x = lifted(name="left")
    right, y = lifted(name="right")
    scale = keras.Input((1, 1, 1, 3), name="scale")
    z = layers.Multiply()([layers.Add()([x, y]), scale])
    pooled = ke.layers.GroupPooling("max")(z)
    model = keras.Model(
        {"left": left, "right": right, "scale": scale}, {"features": z, "invariant": [pooled, ops.mean(pooled)]}
    )
    folded = check_fold(model)
    assert [t.name for t in folded.inputs] == [t.name for t in model.inputs]


def test_input_of_regular_features(check_fold):
    features = keras.Input((8, 8, 4, 3))
    x = ke.layers.GroupConv2D(2, 3, group="C4")(features)
    check_fold(keras.Model(features, [x, layers.LayerNormalization()(features)]))


def test_pooled_vectors(check_fold):
    image, x = lifted()
    x = ops.max(x, axis=(1, 2))
    check_fold(keras.Model(image, ke.layers.GroupPooling("max")(layers.Dense(4)(x))))


def test_shared_layers_stay_shared(check_fold):
    image, x = lifted()
    conv = ke.layers.GroupConv2D(3, 3, group="C4", padding="same")
    normalization, dense = layers.BatchNormalization(), layers.Dense(3)
    a = normalization(conv(x))
    b = normalization(conv(layers.ReLU()(dense(a))))
    folded = check_fold(keras.Model(image, [a, dense(b)]))
    assert classes(folded).count("Conv2D") == 3  # lifting, conv with its normalization, dense
    assert "BatchNormalization" not in classes(folded)


def test_shared_convolution_with_normalizations_of_its_own(check_fold):
    image, x = lifted()
    conv = ke.layers.GroupConv2D(3, 3, group="C4", padding="same")
    check_fold(keras.Model(image, [layers.BatchNormalization()(conv(x)), layers.BatchNormalization()(conv(x))]))


def written_out(folded):
    """The operations of keras.ops in a folded model, as a normalization that nothing absorbs is written out."""
    return [type(operation).__name__ for operation in folded.operations if not isinstance(operation, layers.Layer)]


def test_convolution_with_two_consumers_is_computed_once(check_fold):
    image, x = lifted()
    y = ke.layers.GroupConv2D(3, 3, group="C4", padding="same", name="conv")(x)
    z = layers.BatchNormalization(name="bn")(y)
    folded = check_fold(keras.Model(image, [y, z]))
    assert classes(folded).count("Conv2D") == 2
    assert "conv" in {layer.name for layer in folded.layers}
    assert written_out(folded) == ["Multiply", "Add"]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3),
        layers.Conv2D(4, 3, use_bias=False, groups=2),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.Dense(4),
    ],
    ids=lambda layer: layer.name,
)
def test_normalization_merges_into_stock_layers(layer, check_fold):
    image = keras.Input((8, 8, 2))
    x = layers.BatchNormalization()(layers.BatchNormalization(scale=False)(layer(image)))
    assert len(check_fold(keras.Model(image, x)).layers) == 2


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_normalization_after_an_activation_stays(activation, check_fold):
    image, x = lifted(activation=activation)
    folded = check_fold(keras.Model(image, layers.Flatten()(layers.BatchNormalization()(x))))
    assert classes(folded) == ["Conv2D", "Flatten"]
    assert written_out(folded) == ["Multiply", "Add"]


def test_normalization_is_frozen(check_fold):
    image, x = lifted(activation="relu")
    folded = check_fold(keras.Model(image, layers.BatchNormalization()(x)))
    inputs = random_inputs(folded)
    assert relative_error(folded(inputs, training=True), folded(inputs, training=False)) == 0


def _block(filters, name):
    features = keras.Input((None, None, 4, 3), name="features")
    x = ke.layers.GroupConv2D(filters, 3, group="C4", padding="same", name="conv")(features)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    return keras.Model(features, [layers.Concatenate()([x, features]), x], name=name)


def test_nested_models_stay_4d_and_shared(check_fold):
    image, x = lifted()
    stem = keras.Sequential([keras.Input((8, 8, 4, 3)), layers.ReLU(), layers.Dense(3)], name="stem")
    block = _block(3, "block")
    x = stem(x)
    joined, y = block(x)
    _, z = block(y)
    x = ke.layers.GroupConv2D(2, 3, group="C4")(layers.Add()([z, x]))
    y = ke.layers.GroupConv2D(2, 3, group="C4")(joined)
    folded = check_fold(keras.Model(image, [ke.layers.GroupPooling()(x), layers.Flatten()(y)]))
    inner = folded.get_layer("block")
    assert [type(layer).__name__ for layer in inner.layers] == ["InputLayer", "Conv2D", "ReLU", "Concatenate"]
    assert len(folded.layers) - len({id(layer) for layer in folded.layers}) == 0


def test_nested_model_in_two_forms(check_fold):
    image, x = lifted()
    block = _block(3, "block")
    _, a = block(x)
    _, b = block(layers.Concatenate()([layers.Dense(2)(x), layers.Dense(1)(x)]))
    check_fold(keras.Model(image, layers.Flatten()(layers.Add()([a, b]))))


def test_sequential_model(check_fold):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            ke.layers.LiftingConv2D(3, 3, group="C4"),
            keras.Sequential([layers.BatchNormalization(), layers.ReLU()]),
            ke.layers.GroupPooling("max"),
            layers.Flatten(),
        ]
    )
    check_fold(model)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_folds_to_float32_whatever_the_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = small_cnn()
    finally:
        keras.config.set_dtype_policy("float32")
    folded = fold(model)
    assert {str(w.dtype) for w in folded.weights} == {"float32"}
    assert {layer.compute_dtype for layer in folded.layers} == {"float32"}
    inputs = random_inputs(folded)
    tolerance = 1e-5 if policy == "float64" else 5e-2
    assert relative_error(folded(inputs), model(inputs)) <= tolerance


def test_float64_is_exact_to_float64():
    keras.config.set_dtype_policy("float64")
    try:
        model = small_cnn("D4")
    finally:
        keras.config.set_dtype_policy("float32")
    folded = fold(model, dtype="float64")
    inputs = random_inputs(model)
    assert folded.output.dtype == "float64"
    assert relative_error(folded(inputs), model(inputs)) <= 1e-12


def test_integer_images_stay_integer(check_fold):
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(layers.Rescaling(1 / 255)(image))
    folded = check_fold(keras.Model(image, x))
    assert folded.input.dtype == "uint8"


def test_adapted_normalization(check_fold):
    normalization = layers.Normalization(axis=None)
    normalization.adapt(np.arange(10.0))
    image, x = keras.Input((8, 8, 1)), None
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(normalization(image))
    model = keras.Model(image, x)
    weights = model.get_weights()
    folded = fold(model)
    inputs = random_inputs(model)
    assert relative_error(folded(inputs), model(inputs)) <= 1e-5
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_regularizers_and_constraints_are_dropped(check_fold):
    @keras.saving.register_keras_serializable("elsewhere")
    class Custom(keras.regularizers.Regularizer):
        def __call__(self, x):
            return 0.0

        def get_config(self):
            return {}

    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3, kernel_regularizer=Custom(), kernel_constraint="non_neg")(image)
    check_fold(keras.Model(image, x))


def test_the_model_is_left_alone():
    model = small_cnn()
    inputs = random_inputs(model)
    before, trainable = model(inputs), len(model.trainable_weights)
    folded = fold(model, name="served")
    assert (folded.name, fold(model).name) == ("served", "small_cnn")
    folded.set_weights([np.zeros_like(w) for w in folded.get_weights()])
    assert relative_error(model(inputs), before) == 0
    assert len(model.trainable_weights) == trainable
    assert all(layer.output is not None for layer in model.layers)  # ambiguous if folding had called it again


def test_automatic_names_of_another_process(check_fold):
    """Names in a loaded model may be the very ones that Keras is about to give to operations made here."""
    keras.backend.clear_session()
    image, x = lifted((None, None, 1))
    for name in ("split", "split_1", "maximum", "unpack", "stack_1"):
        x = layers.ReLU(name=name)(x)
    folded = check_fold(keras.Model(image, [ke.layers.GroupPooling("max")(x), x]))
    assert {"split", "split_1", "maximum", "unpack", "stack_1"} <= {layer.name for layer in folded.layers}


def test_automatic_names_of_later_layers_do_not_change():
    keras.backend.clear_session()
    fold(small_cnn())
    assert layers.ReLU().name == "re_lu_1"  # small_cnn has one, re_lu


LOAD_WITHOUT_PACKAGE = """
import sys
sys.modules["keras_equivariant"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
try:
    import keras_equivariant
except ImportError:
    print("not importable")
"""


def test_file_loads_where_the_package_is_not(tmp_path):
    model = small_cnn("D4")
    inputs = random_inputs(model)
    fold(model).save(tmp_path / "folded.keras")
    np.save(tmp_path / "x.npy", inputs)
    files = [str(tmp_path / name) for name in ("folded.keras", "x.npy", "y.npy")]
    done = subprocess.run([sys.executable, "-c", LOAD_WITHOUT_PACKAGE, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "not importable" in done.stdout
    assert relative_error(np.load(tmp_path / "y.npy"), model(inputs)) <= 1e-5


class _Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = ke.layers.LiftingConv2D(2, 3, group="C4")

    def call(self, x):
        return self.conv(x)


class _Overridden(keras.Model):
    def call(self, x, training=None, mask=None):
        return 2 * super().call(x)


class _Branching(keras.Model):
    def call(self, x):
        if ops.sum(x) > 0:
            return x
        return -x


@keras.saving.register_keras_serializable("elsewhere")
class _Foreign(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],))

    def call(self, x):
        return x


def test_subclassed_models_are_followed(check_fold):
    subclassed = _Subclassed()
    inputs = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    expected = subclassed(inputs)
    assert relative_error(fold(subclassed)(inputs), expected) <= 1e-5
    image, x = lifted((8, 8, 1))
    doubled = randomize(_Overridden(image, x))
    assert relative_error(fold(doubled)(inputs), doubled(inputs)) <= 1e-5


class _Centered(layers.Layer):
    """A layer that holds nothing."""

    def call(self, x):
        return x - ops.mean(x, axis=(1, 2), keepdims=True)


def _by_numbers(x):
    return x if float(ops.sum(x)) > 0 else -x


def test_layers_that_hold_nothing_are_followed(check_fold):
    image, x = lifted()
    x = layers.Lambda(lambda t: ops.relu(t) + 0.5 * t)(_Centered()(x))
    check_fold(keras.Model(image, layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("max")(x))))


def test_errors_name_the_layer_and_what_to_do_instead():
    branching = _Branching()
    branching(np.zeros((1, 8, 8, 1), "float32"))
    image, x = lifted()
    cases = [
        (TypeError, "must be a keras.Model", "small_cnn"),
        (ValueError, r"subclassed.*_Branching.*if ops.sum\(x\) > 0.*functional API", branching),
        (ValueError, "_Subclassed.*input shape is not known; call it on an array", _Subclassed()),
        (ValueError, r"built.*model.build", keras.Sequential([layers.Conv2D(2, 3)])),
        (ValueError, '"alien".*_Foreign.*fold', keras.Model(image, _Foreign(name="alien")(x))),
        (
            ValueError,
            '"lam".*lambda',
            keras.Model(image, layers.Lambda(_by_numbers, lambda shape: shape, name="lam")(x)),
        ),
        (ValueError, '"act".*_by_numbers', keras.Model(image, layers.Activation(_by_numbers, name="act")(x))),
    ]
    for error, pattern, model in cases:
        with pytest.raises(error, match=pattern):
            fold(model)
    with pytest.raises(ValueError, match="float32.*Received: dtype='float16'"):
        fold(randomize(keras.Model(image, x)), dtype="float16")


@pytest.mark.parametrize(
    "activation",
    [
        lambda: layers.LeakyReLU(0.3),
        lambda: layers.PReLU(shared_axes=[1, 2, 3]),
        lambda: layers.Softmax(),
        lambda: layers.Activation("swish"),
    ],
    ids=["leaky", "slopes", "softmax", "function"],
)
def test_activations_that_are_layers(activation, check_fold):
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(3, 3, group="C4", activation=activation())(image)
    x = ke.layers.GroupConv2D(2, 3, group="C4", activation=activation())(x)
    model = keras.Model(image, [x, ke.layers.GroupPooling("max")(x)])
    generator = np.random.default_rng(0)
    model.set_weights([w + generator.normal(size=w.shape) for w in model.get_weights()])
    check_fold(model)
