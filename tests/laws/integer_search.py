"""Random networks in integers: what is proved of a file is exact bit for bit in every runtime of LiteRT."""

import pathlib
import tempfile

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

import keras_equivariant as ke

RUNTIMES = (OpResolverType.AUTO, OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
ACTIVATIONS = (None, "relu", "gelu", "swish", "sigmoid", "tanh", "leaky_relu", "relu6", "hard_swish")
ACTIVATIONS += ("celu", "selu", "softplus", "log_sigmoid", "mish")
FLOAT = 1e-6  # what runtimes differ by where integers become floats
EXAMPLES = 12


def draw(seed):
    """(model, group, images)."""
    numbers = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    group, size = str(numbers.choice(["C4", "D4", "D2", "C8", "D1"])), int(numbers.choice([9, 12, 13, 16]))
    image = keras.Input((size, size, int(numbers.choice([1, 3]))))
    x = ke.layers.LiftingConv2D(3, 3, group=group, padding="same", activation=_activation(numbers))(image)
    for _ in range(int(numbers.integers(1, 4))):
        try:
            x = STEPS[numbers.choice(list(STEPS))](x, group, numbers)
        except ValueError:  # sizes that break the symmetry are refused
            continue
    x = ke.layers.GroupPooling(str(numbers.choice(["max", "mean"])))(x)
    if numbers.random() < 0.5:
        x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x, name="drawn")
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(numbers.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias", "alpha"):
            weight.assign(0.2 * numbers.normal(size=weight.shape))
    return model, group, numbers.random((EXAMPLES, *image.shape[1:])).astype("float32")


def _activation(numbers):
    return ACTIVATIONS[int(numbers.integers(len(ACTIVATIONS)))]


def _convolved(x, group, numbers, **options):
    filters = options.pop("filters", 3)
    return ke.layers.GroupConv2D(filters, 3, group=group, activation=_activation(numbers), **options)(x)


def _padding(numbers):
    return str(numbers.choice(["same", "valid"]))


def _window(numbers):
    return {
        "pool_size": int(numbers.choice([2, 3])),
        "strides": int(numbers.choice([1, 2])),
        "padding": _padding(numbers),
    }


STEPS = {
    "convolution": lambda x, g, n: _convolved(x, g, n, strides=int(n.choice([1, 2])), padding=_padding(n)),
    "dilated": lambda x, g, n: _convolved(x, g, n, dilation_rate=2, padding=_padding(n)),
    "depthwise": lambda x, g, n: ke.layers.GroupDepthwiseConv2D(3, group=g, padding=_padding(n))(x),
    "transposed": lambda x, g, n: ke.layers.GroupConv2DTranspose(
        3, int(n.choice([2, 3, 4])), group=g, strides=int(n.choice([1, 2])), padding=_padding(n)
    )(x),
    "normalized": lambda x, g, n: ke.layers.BatchNormalization(activation=_activation(n))(x),
    "maxima": lambda x, g, n: ke.layers.MaxPooling2D(**_window(n))(x),
    "means": lambda x, g, n: ke.layers.AveragePooling2D(**_window(n))(x),
    "enlarged": lambda x, g, n: ke.layers.UpSampling2D(2, interpolation=str(n.choice(["nearest", "bilinear"])))(x),
    "resized": lambda x, g, n: ke.layers.Resizing2D(int(n.choice([5, 8, 13])))(x),
    "stock": lambda x, g, n: layers.TimeDistributed(layers.Dense(4, activation=_activation(n)))(x),
    "blurred": lambda x, g, n: ke.layers.GaussianBlur2D(sigma=1.0)(x),
    "summed": lambda x, g, n: layers.Add()([x, _convolved(x, g, n, filters=x.shape[-1], padding="same")]),
    "joined": lambda x, g, n: layers.Concatenate()([x, _convolved(x, g, n, padding="same")]),
    "gated": lambda x, g, n: layers.Multiply()(
        [x, ke.layers.GroupConv2D(x.shape[-1], 1, group=g, activation="sigmoid")(x)]
    ),
}


def tried(seed):
    """`(verdict, whether it is of integers alone, largest error over elements and runtimes)` of one network's file."""
    model, group, images = draw(seed)
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = ke.export(model, folder, ["tflite_int8"], representative_data=images)
        except (ke.ExportError, ValueError):
            return "refused", False, 0.0
        path = pathlib.Path(folder) / "drawn_int8.tflite"
        proof = report.artifacts[0].proof
        return proof.verdict, proof.integers, max(error(path, images, ke.groups.get(group), one) for one in RUNTIMES)


def error(path, images, group, runtime):
    """The largest difference between answers to moved images and moved answers; 0 where the runtime lacks something."""
    try:
        interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=runtime)
        given, found = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(given, images.shape)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError):
        return 0.0

    def answers(x):
        interpreter.set_tensor(given, np.ascontiguousarray(x))
        interpreter.invoke()
        return interpreter.get_tensor(found)

    expected = answers(images)
    layout = "image" if expected.ndim == 4 else "invariant"
    moved = ((answers(ke.groups.act(images, group, g, "image")), g) for g in group.grid_elements)
    return max(float(np.abs(y - ke.groups.act(expected, group, g, layout)).max()) for y, g in moved)


def search(seeds):
    """Counts by verdict, and the seeds of what is proved and not exact."""
    found, wrong = {}, []
    for seed in seeds:
        verdict, integers, largest = tried(seed)
        found[verdict] = found.get(verdict, 0) + 1
        if verdict == "proved" and integers and largest > FLOAT:
            wrong.append((seed, largest))
    return found, wrong
