"""Every kind of Keras model, small, on C4 or D4."""

import keras
import numpy as np
from keras import layers

import keras_equivariant as ke

L = ke.layers


def lift(filters=3, **options):
    return L.LiftingConv2D(filters, 3, group="D4", padding="same", **options)


def chain(shape, *some_layers):
    x = image = keras.Input(shape)
    for layer in some_layers:
        x = layer(x)
    return keras.Model(image, x)


def functional():
    normalization = layers.BatchNormalization()
    return chain((8, 8, 2), lift(), normalization, layers.ReLU(), L.GroupPooling("max"))


def sequential():
    return keras.Sequential([keras.Input((8, 8, 2)), lift(), L.BatchNormalization(), L.GroupPooling("mean")])


def nested():
    inner = chain((8, 8, 8, 3), L.GroupConv2D(3, 3, group="D4", padding="same"), layers.ReLU())
    return chain((8, 8, 2), lift(), inner, inner, L.GroupPooling("max"))


def shared():
    image, convolution = keras.Input((8, 8, 2)), L.GroupConv2D(3, 3, group="D4", padding="same")
    x = lift()(image)
    return keras.Model(image, L.GroupPooling("max")(convolution(layers.ReLU()(convolution(x))) + x))


def several_inputs():
    a, b = keras.Input((8, 8, 2), name="a"), keras.Input((8, 8, 1), name="b")
    x = layers.Add()([lift()(a), lift()(b)])
    pooled = L.GroupPooling("max")(x)
    return keras.Model({"a": a, "b": b}, [pooled, layers.GlobalAveragePooling2D()(pooled)])


def dict_outputs():
    image = keras.Input((8, 8, 2))
    x = L.GroupPooling("mean")(lift()(image))
    return keras.Model(image, {"map": x, "vector": layers.GlobalMaxPooling2D()(x)})


def nested_outputs():
    image = keras.Input((8, 8, 2))
    x = L.GroupPooling("mean")(lift()(image))
    return keras.Model(image, {"map": x, "more": [L.GaussianBlur2D()(x), {"vector": layers.GlobalMaxPooling2D()(x)}]})


def nested_inputs():
    a, b = keras.Input((8, 8, 2), name="a"), keras.Input((8, 8, 1), name="b")
    x = layers.Add()([lift()(a), lift()(b)])
    return keras.Model([a, {"b": b}], L.GroupPooling("max")(x))


class Block(layers.Layer):
    """A layer made of layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = L.GroupConv2D(3, 3, group="D4", padding="same")
        self.normalization = layers.BatchNormalization()

    def call(self, x, training=None):
        return keras.ops.relu(self.normalization(self.convolution(x), training=training)) + x


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.lift, self.block, self.pool = lift(), Block(), L.GroupPooling("max")
        self.head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(4)])

    def call(self, x, training=None):
        features = self.pool(self.block(self.lift(x), training=training))
        return {"map": features, "logits": self.head(features)}


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 8, 8, 2), "float32"))
    return model


def composed():
    return chain((8, 8, 2), lift(), Block(), L.GroupPooling("max"))


def time_distributed():
    inner = chain((8, 8, 2), lift(), layers.ReLU(), L.GroupPooling("max"))
    return chain((3, 8, 8, 2), layers.TimeDistributed(inner), layers.GlobalAveragePooling3D())


def spectral():
    return chain((8, 8, 2), layers.SpectralNormalization(lift()), L.GroupPooling("max"))


def operators():
    image = keras.Input((8, 8, 2))
    x = lift()(image)
    return keras.Model(image, L.GroupPooling("max")(keras.ops.maximum(2 * x, keras.ops.square(x) - 1.0)))


KINDS = {
    kind.__name__: kind
    for kind in (functional, sequential, nested, shared, several_inputs, dict_outputs, subclassed, composed)
    + (time_distributed, spectral, operators, nested_outputs, nested_inputs)
}


def trained(model, seed=0):
    """Weights as after training."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            value = 0.3 * generator.normal(size=weight.shape)
            positive = any(part in weight.name for part in ("variance", "stddev", "gamma"))
            weight.assign(1 + abs(value) if positive else value)
    return model


def inputs_for(model, seed=1, batch=2):
    generator = np.random.default_rng(seed)
    shapes = {"subclassed": (8, 8, 2)}.get(model.name)
    if shapes:
        return generator.normal(size=(batch, *shapes)).astype("float32")
    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.tree.map_structure(lambda t: generator.normal(size=(batch, *t.shape[1:])).astype("float32"), structure)


def difference(one, other):
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
    pairs = [[keras.ops.convert_to_numpy(y).astype("float64") for y in pair] for pair in pairs]
    return max(float(abs(a - b).max() / abs(b).max()) for a, b in pairs)
