"""A package of its own, as a stranger writes one: a layer, a group, a data set and a format, registered on import."""

import keras
import numpy as np
from keras import ops

import keras_equivariant as ke

ROTATIONS = ke.groups.register(ke.groups.from_generators("ToyRotations", [[[0, -1], [1, 0]]]))


@ke.register_layer
class ToyGate(ke.EquivariantLayer):
    """y(x, g) = f(x, g) sigmoid(s mean over g' of f(x, g')), with a learned number s for each field."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        start = keras.initializers.Constant(self.start)
        self.slope = self.add_weight(shape=(input_shape[-1],), initializer=start, name="slope")

    def call(self, inputs):
        return inputs * ops.sigmoid(self.slope * ops.mean(inputs, axis=-2, keepdims=True))

    def compute_output_shape(self, input_shape):
        return input_shape

    def fold(self, input_shape):
        *space, order, fields = input_shape[1:]
        slope = ops.convert_to_numpy(self.slope)

        def gate(x):
            f = ops.reshape(x, (-1, *space, order, fields))
            f = f * ops.sigmoid(ops.mean(f, axis=-2, keepdims=True) * slope)
            return ops.reshape(f, (-1, *space, order * fields))

        return [(gate, [])]

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@ke.register_layer
class ToyTilt(ToyGate):
    """The same, but for a factor that is another one for each element: it claims a symmetry that it has not."""

    def call(self, inputs):
        return super().call(inputs) * ops.reshape(ops.arange(1, inputs.shape[-2] + 1, dtype=inputs.dtype), (-1, 1))


def load_stripes(seed=0, size=9):
    """Stripes along either axis, of one pixel (class 0) or of two (class 1)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    index = np.arange(size)
    images = np.stack([(index + rng.integers(4)) // (1 + label) % 2 * np.ones((size, 1)) for label in labels])
    rotated = np.where(rng.integers(2, size=(60, 1, 1)), images, images.transpose(0, 2, 1))
    x = (255 * rotated[..., None]).astype("uint8")
    return ke.data.Dataset("toy_stripes", "stripes", x[:40], labels[:40], x[40:], labels[40:], default_epochs=1)


ke.data.register("toy_stripes", load_stripes)


def write(source, path):
    np.savez(path, *source.model.get_weights())


def load(path, source):
    with np.load(path) as saved:
        weights = [saved[name] for name in saved.files]
    clone = keras.models.clone_model(source.model)
    clone.set_weights(weights)
    return source.runner(clone)


def operations(path):
    return ("WEIGHTS",)


TOY_WEIGHTS = ke.export.register_format(
    ke.export.Format(
        name="toy_weights",
        file="{name}.weights.npz",
        purpose="a test",
        write=write,
        load=load,
        operations=operations,
    )
)
SPEC = {
    "spec": 1,
    "name": "toy",
    "params": {"classes": 2, "size": 9, "channels": 1},
    "input": {"shape": ["${size}", "${size}", "${channels}"]},
    "layers": [
        {"Rescaling": {"scale": 0.01}},
        {"LiftingConv2D": {"filters": 3, "kernel_size": 3, "group": "ToyRotations"}},
        {"ToyGate": 2.0},
        {"BatchNormalization": {"activation": "relu"}},
        {"GroupPooling": "max"},
        "GlobalAveragePooling2D",
        {"Dense": "${classes}"},
    ],
    "training": {"dataset": "toy_stripes", "epochs": 1, "batch_size": 8},
}
