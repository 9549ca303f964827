"""Random models of our and of stock layers with random options: folded, each computes the same."""

import collections
import warnings

import keras
import numpy as np
import pytest
from keras import layers as K

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow
L = ke.layers
GROUPS = ("C2", "C4", "D4")
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}


class Search:
    """One random model in the making."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.group = self.pick(GROUPS)
        self.said = []
        # Keras interpolates in float32, whatever the dtype.
        self.smooth = "bilinear" if keras.config.dtype_policy().name == "float32" else "nearest"

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def flip(self, chance=0.5):
        return bool(self.rng.random() < chance)

    def activation(self):
        return self.pick((None, "relu", "tanh", "softmax", "elu", "swish", "log_softmax", "hard_sigmoid"))

    def normalization(self, make, rank):
        axis = self.pick((-1, -1, -1, rank - 1, rank - 2, -2, 1))
        options = {"axis": axis, "center": self.flip(0.8), "scale": self.flip(0.8), "epsilon": self.pick((1e-3, 0.1))}
        options |= {"renorm": self.flip(0.3), "momentum": self.pick((0.9, 0.99))}
        return make(**options, **({"activation": self.activation()} if make is L.BatchNormalization else {}))

    def anywhere(self, x):
        """A stock layer that takes features of any shape."""
        rank = len(x.shape)
        axis = int(self.rng.integers(1, rank))
        makers = (
            lambda: self.normalization(K.BatchNormalization, rank),
            lambda: self.normalization(L.BatchNormalization, rank),
            lambda: self.normalization(L.BatchNormalization, rank),
            lambda: K.LayerNormalization(axis=self.pick((-1, axis, [rank - 2, rank - 1])), center=self.flip()),
            lambda: K.GroupNormalization(groups=self.pick((1, -1)), axis=-1, epsilon=0.1, scale=self.flip()),
            lambda: K.UnitNormalization(axis=axis),
            lambda: K.Activation(self.pick(("relu", "sigmoid", "softmax", "tanh", "mish"))),
            lambda: K.ReLU(max_value=self.pick((None, 0.7)), negative_slope=self.pick((0.0, 0.2)), threshold=0.1),
            lambda: K.LeakyReLU(negative_slope=0.3),
            lambda: K.ELU(alpha=0.5),
            lambda: K.PReLU(shared_axes=self.pick((None, [1, 2], list(range(1, rank - 1))))),
            lambda: K.Softmax(axis=self.pick((-1, axis))),
            lambda: K.Rescaling(self.pick((0.5, [0.5] * x.shape[-1])), offset=self.pick((0.0, 0.2))),
            lambda: K.Dense(self.pick((2, 20)), activation=self.activation(), use_bias=self.flip()),
            lambda: K.Dropout(0.5),
            lambda: K.GaussianNoise(0.5),
            lambda: K.SpectralNormalization(K.Dense(3)),
            lambda: K.Permute((2, 1, *range(3, rank))),
            lambda: K.Identity(),
            lambda: self.adapted(K.Dense(3)),
            lambda: self.join(x),
        )
        return self.pick(makers)()

    def adapted(self, dense):
        """A layer with a low-rank adapter."""

        def call(x):
            y = dense(x)
            dense.enable_lora(2)
            return y

        call.name = "lora"
        return call

    def join(self, x):
        def call(x):
            other = self.pick((K.ReLU(), K.BatchNormalization(), K.Activation("tanh")))(x)
            merge = self.pick((K.Add, K.Multiply, K.Maximum, K.Subtract, K.Average, K.Concatenate, K.Minimum))
            joined = merge()([x, other])
            return joined if self.flip() else keras.ops.maximum(2.0 * joined, 1.0 - joined)

        call.name = "join"
        return call

    def on_images(self, x):
        size, channels = x.shape[1], x.shape[-1]
        padding = self.pick(("valid", "same")) if size > 3 else "same"
        kernel = self.pick((1, 3))
        common = {"padding": padding, "use_bias": self.flip(), "activation": self.activation()}
        makers = [
            lambda: L.LiftingConv2D(self.pick((2, 3)), kernel, group=self.group, strict=False, **common),
            lambda: L.LiftingConv2D(self.pick((2, 3)), kernel, group=self.group, strict=False, **common),
            lambda: K.Conv2D(4, kernel, groups=2 if channels % 2 == 0 else 1, **common),
            lambda: K.Conv2D(3, kernel, dilation_rate=self.pick((1, 2)), padding="same", use_bias=self.flip()),
            lambda: K.DepthwiseConv2D(kernel, depth_multiplier=self.pick((1, 2)), **common),
            lambda: K.SeparableConv2D(3, kernel, **common),
            lambda: K.Conv2DTranspose(3, 3, strides=self.pick((1, 2)), padding=padding, use_bias=self.flip()),
            lambda: K.SpectralNormalization(K.Conv2D(3, kernel, padding="same")),
            lambda: K.UpSampling2D(2, interpolation=self.pick(("nearest", self.smooth))),
            lambda: K.MaxPooling2D(2, padding="same"),
            lambda: K.ZeroPadding2D(((1, 0), (0, 2))),
            lambda: K.Cropping2D(((0, 1), (0, 0))) if size > 2 else K.Identity(),
            lambda: K.SpatialDropout2D(0.5),
        ]
        return self.pick(makers)()

    def on_regular(self, x):
        size = x.shape[1]
        padding = self.pick(("valid", "same")) if size > 3 else "same"
        options = {"use_bias": self.flip(), "activation": self.activation(), "strict": False}
        filters, kernel = self.pick((2, 4)), self.pick((1, 3))
        makers = [
            lambda: L.GroupConv2D(filters, kernel, group=self.group, padding=padding, **options),
            lambda: L.GroupConv2D(filters, kernel, group=self.group, padding="same", **options),
            lambda: L.GroupConv2DTranspose(filters, 3, group=self.group, strides=self.pick((1, 2)), **options),
            lambda: L.MaxPooling2D(2, strict=False),
            lambda: L.AveragePooling2D(2, strict=False),
            lambda: L.UpSampling2D(2, interpolation=self.pick(("nearest", self.smooth))),
            lambda: L.GroupPooling(self.pick(("max", "mean"))),
            lambda: K.SpectralNormalization(L.GroupConv2D(2, 3, group=self.group, padding="same")),
            lambda: K.MaxPooling3D(self.pick(((2, 2, 1), (1, 1, 2))), padding="same"),
            lambda: K.AveragePooling3D((2, 2, 1), strides=1, padding=self.pick(("same", "valid"))),
            lambda: K.UpSampling3D((2, 1, self.pick((1, 2)))),
            lambda: K.ZeroPadding3D(((1, 0), (0, 1), (0, self.pick((0, 1))))),
            lambda: K.SpatialDropout3D(0.5),
        ]
        return self.pick(makers)()

    def head(self, x):
        rank = len(x.shape)
        pooling = (
            (K.GlobalAveragePooling2D, K.GlobalMaxPooling2D)
            if rank == 4
            else (K.GlobalAveragePooling3D, K.GlobalMaxPooling3D)
        )
        formats = self.pick(("channels_last", "channels_last", "channels_first"))
        return self.pick(
            (
                lambda: self.pick(pooling)(keepdims=self.flip(), data_format=formats),
                lambda: K.Flatten(data_format=formats),
                lambda: K.Reshape((-1,)),
                lambda: K.Identity(),
            )
        )()

    def model(self):
        x = image = keras.Input((6, 6, self.pick((1, 2))), dtype=keras.config.dtype_policy().name)
        for step in range(int(self.rng.integers(2, 7))):
            regular = len(x.shape) == 5
            make = self.anywhere if step and self.flip() else self.on_regular if regular else self.on_images
            layer = make(x)
            self.said.append(getattr(layer, "name", type(layer).__name__))
            x = layer(x)
            if x.shape[1] > 24 or len(x.shape) not in (4, 5):
                break
        outputs = [x]
        if len(x.shape) in (4, 5) and self.flip(0.4):
            outputs.append(self.head(x)(x))
        model = keras.Model(image, outputs)
        for weight in model.weights:
            if keras.backend.is_float_dtype(weight.dtype):
                value = self.rng.normal(size=weight.shape) * 0.4
                positive = any(part in weight.name for part in ("variance", "stddev", "gamma"))
                weight.assign(0.5 + abs(value) if positive else value)
        return model


def tried(seed, dtype):
    """(the error of the folded model or why it is refused, what the model is made of)."""
    search = Search(seed)
    try:
        model = search.model()
        x = search.rng.normal(size=(2, *model.input_shape[1:])).astype(dtype)
        expected = model(x, training=False)
    except Exception:  # options that do not go together, or what TensorFlow does not have in float64
        return None, search.said
    try:
        folded = [ke.fold(model, dtype=dtype, verify=False, pointwise=form) for form in ("dense", "blocks")]
    except ValueError as error:
        return str(error), search.said
    return max(_error(one(x), expected) for one in folded), search.said


def _error(found, expected):
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        ours, theirs = (keras.ops.convert_to_numpy(y).astype("float64") for y in (ours, theirs))
        if ours.shape != theirs.shape:
            return np.inf
        worst = max(worst, np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6))
    return worst


def search(seeds, dtype):
    found = collections.Counter()
    keras.config.set_dtype_policy(dtype)
    try:
        for seed in seeds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome, said = tried(seed, dtype)
            kind = "unbuilt" if outcome is None else "refused" if isinstance(outcome, str) else "folded"
            found[kind] += 1
            assert kind != "refused", (seed, said, outcome)  # nothing in the search is beyond the fold
            assert kind == "unbuilt" or outcome <= TOLERANCE[dtype], (seed, said, outcome)
            if seed % 50 == 49:
                keras.backend.clear_session()
                keras.config.set_dtype_policy(dtype)
    finally:
        keras.config.set_dtype_policy("float32")
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_models_fold_to_the_same_function(dtype):
    found = search(range(40) if dtype == "float64" else range(1000, 1025), dtype)
    assert found["folded"] >= 0.6 * sum(found.values()), found


def test_numbers_that_keras_rounds_are_rounded_alike():
    """A Rescaling by 0.2 in float64 multiplies by the nearest number of float32, on TensorFlow."""
    found = search([100_262], "float64")
    assert found["folded"] == 1


@pytest.mark.slow
def test_two_thousand_random_models_fold_to_the_same_function():
    found = search(range(10_000, 12_000), "float64")
    assert found["folded"] >= 1200, found


def test_the_search_finds_what_was_wrong(monkeypatch):
    """Statistics along the wrong axis, as fold had them once, are found."""
    from keras_equivariant.export.folding import merge

    monkeypatch.setattr(merge, "is_absorbed", lambda layer, tensor, **options: isinstance(layer, K.BatchNormalization))
    with pytest.raises((AssertionError, ValueError)):
        search(range(0, 60), "float64")
