"""Small models, and how they are compared, for the tests of folding and export."""

import keras
import numpy as np

import keras_equivariant as ke


def randomize(model, seed=0):
    """Weights as after training: nothing is zero or one, so that nothing cancels by luck."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.normal(size=weight.shape) * 0.3
        if "variance" in weight.name:
            value = 1 + np.abs(value)
        elif "gamma" in weight.name:
            value = 1 + value
        elif "kernel" in weight.name:
            value = value / np.sqrt(max(np.prod(weight.shape[1:-1]), 1))
        weight.assign(value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def random_inputs(model, batch=2, size=8, seed=1):
    rng = np.random.default_rng(seed)

    def draw(tensor):
        return rng.normal(size=(batch, *(size if n is None else n for n in tensor.shape[1:]))).astype(tensor.dtype)

    if isinstance(model, keras.Sequential):
        return draw(model.inputs[0])
    return keras.tree.map_structure(draw, model.input)


def relative_error(actual, expected):
    pairs = zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True)
    errors = []
    for a, b in pairs:
        a, b = (keras.ops.convert_to_numpy(t).astype("float64") for t in (a, b))
        assert a.shape == b.shape
        errors.append(np.abs(a - b).max() / np.abs(b).max())
    return max(errors)


def classes(model):
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def lifted(shape=(8, 8, 2), filters=3, group="C4", name="image", **kwargs):
    """An image and its regular features."""
    image = keras.Input(shape, name=name)
    return image, ke.layers.LiftingConv2D(filters, 3, group=group, padding="same", **kwargs)(image)


def small_cnn(group="C4", size=12, classes=5, **kwargs):
    """A p4-like network: lifting, normalized group convolutions, invariant head."""
    image = keras.Input((size, size, 1), name="image")
    x = ke.layers.LiftingConv2D(4, 3, group=group, padding="same", use_bias=False)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = ke.layers.MaxPooling2D(2)(x)
    x = ke.layers.GroupConv2D(6, 3, group=group, padding="same", use_bias=False)(x)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    x = keras.layers.SpatialDropout3D(0.2)(x)
    x = ke.layers.GroupConv2D(6, 3, group=group, padding="same", activation="relu")(x)
    x = ke.layers.GroupPooling("max")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(classes, name="logits")(x), name="small_cnn", **kwargs)
    return randomize(model)
